package control

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// The most packets that one command writes in one piece.
const maxBurst = 100_000

// execute runs a command on the connection's lane.
func (c *rawConn) execute(command *Command) (Fields, error) {
	switch command.Name {
	case "secret":
		remote, err := c.secret(command)
		return Fields{"remote_id": remote}, err
	case "node_info":
		return nil, c.sendNodeInfo(command.NodeInfo)
	case "hold":
		c.writeMu.Lock()
		c.hold = true
		c.writeMu.Unlock()
		return nil, nil
	case "flush":
		return nil, c.flush(command.Frame)
	case "shape":
		// Sealed bytes: held back, or cut in pieces with pauses.
		return nil, c.socket.shape(command.On != nil && *command.On, command.Piece, time.Duration(command.MS)*time.Millisecond)
	case "ping", "pong":
		return c.burst(Packet{Kind: command.Name}, command)
	case "packet":
		// A packet that ends a message has to hold one that decodes; a part of a message may be anything.
		eof := command.EOF == nil || *command.EOF
		data, err := payload(command)
		if eof {
			data, err = c.program.message(command, 0)
		}
		if err != nil {
			return nil, err
		}
		return c.burst(Packet{Kind: "msg", Channel: int32(command.Channel), EOF: eof, Data: data}, command)
	case "message":
		return c.message(command)
	case "body":
		// The body of a packet, verbatim; its length goes in front.
		body, err := hex.DecodeString(command.Body)
		if err != nil {
			return nil, err
		}
		return Fields{"body": len(body)}, c.write(prefixed(body))
	case "write":
		plain, err := payload(command)
		if err != nil {
			return nil, err
		}
		return Fields{"size": len(plain)}, c.write(plain)
	case "write_tcp":
		sealed, err := payload(command)
		if err != nil {
			return nil, err
		}
		_, err = c.socket.Write(sealed)
		return Fields{"size": len(sealed)}, err
	case "frame":
		return nil, c.frame(command)
	default:
		return nil, fmt.Errorf("unknown command %q", command.Name)
	}
}

// burst writes count copies of a packet in one piece.
func (c *rawConn) burst(packet Packet, command *Command) (Fields, error) {
	count := max(command.Count, 1)
	if count > maxBurst {
		return nil, errors.New("count is too large")
	}
	body, err := c.program.line.EncodePacket(packet)
	if err != nil {
		return nil, err
	}
	fields := Fields{"count": count, "body": len(body)}
	if packet.Kind == "msg" {
		fields["size"], fields["sha256"] = len(packet.Data), sum(packet.Data)
	}
	return fields, c.write(bytes.Repeat(prefixed(body), count))
}

func (c *rawConn) message(command *Command) (Fields, error) {
	size := command.Payload
	if size <= 0 {
		size = 1024
	}
	started := time.Now()
	var digests []string
	last := 0
	for i := range max(command.Count, 1) {
		message, err := c.program.message(command, i)
		if err != nil {
			return nil, err
		}
		last = len(message)
		if len(digests) < shownDigests {
			digests = append(digests, sum(message))
		}
		packets, err := c.program.packetBytes(split(int32(command.Channel), message, size)...)
		if err != nil {
			return nil, err
		}
		if err := c.write(packets); err != nil {
			return Fields{"sent": i, "sha256": digests}, err
		}
	}
	return Fields{
		"sent": max(command.Count, 1), "size": last, "sha256": digests, "elapsed_ms": time.Since(started).Milliseconds(),
	}, nil
}

func (c *rawConn) frame(command *Command) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if c.forged == nil {
		return errors.New("frame needs the forge engine")
	}
	if command.Replay {
		return c.forged.Replay()
	}
	data, err := payload(command)
	if err != nil {
		return err
	}
	return c.forged.WriteFrame(data, or(command.Length, len(data)), or(command.Flip, -1))
}
