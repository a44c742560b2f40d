package main

import (
	stded25519 "crypto/ed25519"
	"fmt"
	"io"

	"github.com/tendermint/tendermint/crypto/ed25519"
	"github.com/tendermint/tendermint/libs/log"
	"github.com/tendermint/tendermint/p2p/conn"
	tmp2p "github.com/tendermint/tendermint/proto/tendermint/p2p"

	"troupe.test/peers/control"
)

type line struct{}

func (line) Name() string { return "tm034" }

func (line) Secret(stream io.ReadWriteCloser, key stded25519.PrivateKey) (io.ReadWriteCloser, stded25519.PublicKey, error) {
	secret, err := conn.MakeSecretConnection(stream, ed25519.PrivKey(key))
	if err != nil {
		return nil, nil, err
	}
	return secret, stded25519.PublicKey(secret.RemotePubKey().Bytes()), nil
}

func (line) EncodePacket(packet control.Packet) ([]byte, error) {
	wire := &tmp2p.Packet{}
	switch packet.Kind {
	case "ping":
		wire.Sum = &tmp2p.Packet_PacketPing{PacketPing: &tmp2p.PacketPing{}}
	case "pong":
		wire.Sum = &tmp2p.Packet_PacketPong{PacketPong: &tmp2p.PacketPong{}}
	default:
		wire.Sum = &tmp2p.Packet_PacketMsg{PacketMsg: &tmp2p.PacketMsg{ChannelID: packet.Channel, EOF: packet.EOF, Data: packet.Data}}
	}
	return wire.Marshal()
}

func (line) DecodePacket(body []byte) (control.Packet, error) {
	wire := &tmp2p.Packet{}
	if err := wire.Unmarshal(body); err != nil {
		return control.Packet{}, err
	}
	switch sum := wire.Sum.(type) {
	case *tmp2p.Packet_PacketPing:
		return control.Packet{Kind: "ping"}, nil
	case *tmp2p.Packet_PacketPong:
		return control.Packet{Kind: "pong"}, nil
	case *tmp2p.Packet_PacketMsg:
		return control.Packet{Kind: "msg", Channel: sum.PacketMsg.ChannelID, EOF: sum.PacketMsg.EOF, Data: sum.PacketMsg.Data}, nil
	default:
		return control.Packet{}, fmt.Errorf("no member known in packet %x", body)
	}
}

// logger hands the node's log lines to the host.
type logger struct {
	host  *control.Host
	pairs []interface{}
}

func (l logger) write(level, message string, pairs []interface{}) {
	l.host.Log(level, message, append(l.pairs[:len(l.pairs):len(l.pairs)], pairs...)...)
}

func (l logger) Debug(message string, pairs ...interface{}) { l.write("debug", message, pairs) }
func (l logger) Info(message string, pairs ...interface{})  { l.write("info", message, pairs) }
func (l logger) Error(message string, pairs ...interface{}) { l.write("error", message, pairs) }

func (l logger) With(pairs ...interface{}) log.Logger {
	return logger{l.host, append(l.pairs[:len(l.pairs):len(l.pairs)], pairs...)}
}
