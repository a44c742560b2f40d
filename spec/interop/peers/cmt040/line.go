package main

import (
	stded25519 "crypto/ed25519"
	"fmt"
	"io"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/p2p/conn"
	pb "github.com/cometbft/cometbft/proto/tendermint/p2p"

	"troupe.test/peers/control"
)

type line struct{}

func (line) Name() string { return "cmt040" }

func (line) Secret(stream io.ReadWriteCloser, key stded25519.PrivateKey) (io.ReadWriteCloser, stded25519.PublicKey, error) {
	secret, err := conn.MakeSecretConnection(stream, ed25519.PrivKey(key))
	if err != nil {
		return nil, nil, err
	}
	return secret, stded25519.PublicKey(secret.RemotePubKey().Bytes()), nil
}

func (line) EncodePacket(packet control.Packet) ([]byte, error) {
	wire := &pb.Packet{}
	switch packet.Kind {
	case "ping":
		wire.Sum = &pb.Packet_PacketPing{PacketPing: &pb.PacketPing{}}
	case "pong":
		wire.Sum = &pb.Packet_PacketPong{PacketPong: &pb.PacketPong{}}
	default:
		wire.Sum = &pb.Packet_PacketMsg{PacketMsg: &pb.PacketMsg{ChannelID: packet.Channel, EOF: packet.EOF, Data: packet.Data}}
	}
	return wire.Marshal()
}

func (line) DecodePacket(body []byte) (control.Packet, error) {
	wire := &pb.Packet{}
	if err := wire.Unmarshal(body); err != nil {
		return control.Packet{}, err
	}
	switch sum := wire.Sum.(type) {
	case *pb.Packet_PacketPing:
		return control.Packet{Kind: "ping"}, nil
	case *pb.Packet_PacketPong:
		return control.Packet{Kind: "pong"}, nil
	case *pb.Packet_PacketMsg:
		return control.Packet{Kind: "msg", Channel: sum.PacketMsg.ChannelID, EOF: sum.PacketMsg.EOF, Data: sum.PacketMsg.Data}, nil
	default:
		return control.Packet{}, fmt.Errorf("no member known in packet %x", body)
	}
}

// logger hands the node's log lines to the host.
type logger struct {
	host  *control.Host
	pairs []any
}

func (l logger) write(level, message string, pairs []any) {
	l.host.Log(level, message, append(l.pairs[:len(l.pairs):len(l.pairs)], pairs...)...)
}

func (l logger) Debug(message string, pairs ...any) { l.write("debug", message, pairs) }
func (l logger) Info(message string, pairs ...any)  { l.write("info", message, pairs) }
func (l logger) Warn(message string, pairs ...any)  { l.write("warn", message, pairs) }
func (l logger) Error(message string, pairs ...any) { l.write("error", message, pairs) }

func (l logger) With(pairs ...any) log.Logger {
	return logger{l.host, append(l.pairs[:len(l.pairs):len(l.pairs)], pairs...)}
}
