package control

import (
	"crypto/ed25519"
	"io"
	"net"
)

// Line is one release line: everything that needs the imports of that line.
type Line interface {
	// Name is the folder of the line, such as cmt038.
	Name() string
	// Start runs a real peer. It returns once the peer listens.
	Start(options *Options, host *Host) (Node, error)
	// Secret runs the line's own SecretConnection handshake over conn.
	Secret(conn io.ReadWriteCloser, key ed25519.PrivateKey) (stream io.ReadWriteCloser, remote ed25519.PublicKey, err error)
	// EncodePacket and DecodePacket use the line's own protobuf types; the length prefix is not part of the bytes.
	EncodePacket(packet Packet) ([]byte, error)
	DecodePacket(body []byte) (Packet, error)
}

// Node is a running peer. Messages are the encoded bytes, as they are cut into packets.
type Node interface {
	ID() string
	// Address is the host:port that the peer listens on.
	Address() string
	// Dial returns once the remote peer is up, or with the reason why it is not.
	Dial(address string) error
	// Keep makes a remote one that is dialed again whenever it is lost. It does not dial.
	Keep(address string) error
	Peers() []PeerInfo
	// Send may wait for a slot in the queue; TrySend must not.
	Send(to string, channel byte, message []byte) (bool, error)
	TrySend(to string, channel byte, message []byte) (bool, error)
	Broadcast(channel byte, message []byte) error
	Disconnect(id string) error
	FlushStop(id string) error
	// AddAddress puts an address in the address book, RequestAddresses sends a PEX request now.
	AddAddress(address string) error
	RequestAddresses(to string) error
	Addresses() []string
	Stop()
}

// PeerInfo describes a connected peer. Direction is as seen from here: "outbound" if we dialed.
type PeerInfo struct {
	ID         string `json:"id"`
	Direction  string `json:"direction"`
	Address    string `json:"address"`
	Moniker    string `json:"moniker"`
	Version    string `json:"version"`
	Network    string `json:"network"`
	ListenAddr string `json:"listen_addr"`
	Channels   string `json:"channels"`
	P2P        uint64 `json:"p2p"`
	Block      uint64 `json:"block"`
	App        uint64 `json:"app"`
	Connection any    `json:"connection,omitempty"`
}

// Packet is one packet of the multiplexed connection.
type Packet struct {
	Kind    string // ping, pong or msg
	Channel int32
	EOF     bool
	Data    []byte
}

// Direction names the side that dialed.
func Direction(outbound bool) string {
	if outbound {
		return "outbound"
	}
	return "inbound"
}

// Or returns value, or fallback if value is the zero value.
func Or[T comparable](value, fallback T) T {
	if value == *new(T) {
		return fallback
	}
	return value
}

// FreeAddress replaces port 0 by a port that was free a moment ago.
func FreeAddress(listen string) (string, error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
