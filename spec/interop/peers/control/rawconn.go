package control

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// rawConn is one connection of raw mode. Commands run one after another on its lane; received packets are reported as they come.
type rawConn struct {
	program *rawProgram
	number  int
	opened  time.Time
	socket  *socket
	lane    chan func()

	// Writers are the lane and the answers to pings.
	writeMu sync.Mutex
	stream  io.ReadWriteCloser
	forged  *forged
	hold    bool
	held    []byte

	mu         sync.Mutex
	pong       bool
	quiet      bool
	pings      int
	pongs      int
	unreadable int
	packets    map[int32]int
	partial    map[int32][]byte
	messages   int
	bytes      int
}

// handshake does what a preset says: nothing, the secret connection, or that and NodeInfo.
func (c *rawConn) handshake(preset *Command) (Fields, error) {
	fields := Fields{}
	switch preset.Handshake {
	case "", "none":
		return fields, nil
	case "secret", "full":
	default:
		return fields, fmt.Errorf("unknown handshake %q", preset.Handshake)
	}
	remote, err := c.secret(preset)
	if remote != "" {
		fields["remote_id"] = remote
	}
	if err == nil && preset.Handshake == "full" {
		err = c.sendNodeInfo(preset.NodeInfo)
	}
	return fields, err
}

func (c *rawConn) secret(command *Command) (remote string, err error) {
	if c.stream != nil {
		return "", errors.New("the secret connection is there already")
	}
	switch command.Engine {
	case "", "line":
		stream, key, err := c.program.line.Secret(c.socket, c.program.key)
		if err != nil {
			return "", err
		}
		c.stream, remote = stream, nodeID(key)
	case "forge":
		stream, key, err := forgeHandshake(c.socket, c.program.key, command.Forge, func(f *forged, plain []byte) error {
			if c.hold {
				c.held = append(c.held, plain...)
				return nil
			}
			_, err := f.Write(plain)
			return err
		})
		if stream != nil {
			// Even a failed handshake leaves a stream on which to send on.
			c.stream, c.forged = stream, stream
		}
		if errors.Is(err, errStopped) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		remote = nodeID(key)
	default:
		return "", fmt.Errorf("unknown engine %q", command.Engine)
	}
	go c.read()
	c.program.host.Emit("secret", Fields{"conn": c.number, "remote_id": remote})
	return remote, nil
}

func (c *rawConn) sendNodeInfo(spec *nodeInfoSpec) error {
	body, err := spec.encode(c.program.options, c.program.id, "tcp://"+c.program.listen)
	if err != nil {
		return err
	}
	return c.write(prefixed(body))
}

func (c *rawConn) write(plain []byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if c.hold {
		c.held = append(c.held, plain...)
		return nil
	}
	if c.stream == nil {
		return errNoStream
	}
	_, err := c.stream.Write(plain)
	return err
}

// flush ends holding and writes what is held, so much in each frame.
func (c *rawConn) flush(frame int) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	held := c.held
	c.hold, c.held = false, nil
	if c.stream == nil {
		return errNoStream
	}
	if frame <= 0 {
		frame = dataSize
	}
	for len(held) > 0 {
		part := held[:min(frame, len(held))]
		if _, err := c.stream.Write(part); err != nil {
			return err
		}
		held = held[len(part):]
	}
	return nil
}

// read reports NodeInfo and then packets, until the stream ends.
func (c *rawConn) read() {
	reader := bufio.NewReader(c.stream)
	fail := func(err error) {
		if !errors.Is(err, io.EOF) {
			c.program.host.Emit("read_failed", Fields{"conn": c.number, "error": err.Error()})
		}
	}
	body, err := readPrefixed(reader)
	if err != nil {
		fail(err)
		return
	}
	info, err := decodeNodeInfo(body)
	if err != nil {
		info["error"] = err.Error()
	}
	c.program.host.Emit("node_info", Fields{"conn": c.number, "node_info": info})
	for {
		body, err := readPrefixed(reader)
		if err != nil {
			fail(err)
			return
		}
		packet, err := c.program.line.DecodePacket(body)
		if err != nil {
			c.mu.Lock()
			c.unreadable++
			c.mu.Unlock()
			c.program.host.Emit("packet", Fields{"conn": c.number, "kind": "unreadable", "hex": hex.EncodeToString(body), "error": err.Error()})
			continue
		}
		c.received(packet, len(body))
	}
}

func (c *rawConn) received(packet Packet, size int) {
	c.mu.Lock()
	var message []byte
	complete := false
	switch packet.Kind {
	case "ping":
		c.pings++
	case "pong":
		c.pongs++
	default:
		c.packets[packet.Channel]++
		c.bytes += len(packet.Data)
		c.partial[packet.Channel] = append(c.partial[packet.Channel], packet.Data...)
		if packet.EOF {
			message, complete = c.partial[packet.Channel], true
			c.partial[packet.Channel] = nil
			c.messages++
		}
	}
	quiet, answer := c.quiet, c.pong && packet.Kind == "ping"
	c.mu.Unlock()
	if !quiet {
		fields := Fields{"conn": c.number, "kind": packet.Kind, "body": size}
		if packet.Kind == "msg" {
			fields["channel"], fields["eof"], fields["size"] = packet.Channel, packet.EOF, len(packet.Data)
		}
		c.program.host.Emit("packet", fields)
		if complete {
			fields := describe("", byte(packet.Channel), message)
			delete(fields, "from")
			fields["conn"], fields["channel"] = c.number, packet.Channel
			c.program.host.Emit("message", fields)
		}
	}
	if answer {
		if bytes, err := c.program.packetBytes(Packet{Kind: "pong"}); err == nil {
			_ = c.write(bytes)
		}
	}
}

func (c *rawConn) setPong(on bool)  { c.mu.Lock(); c.pong = on; c.mu.Unlock() }
func (c *rawConn) setQuiet(on bool) { c.mu.Lock(); c.quiet = on; c.mu.Unlock() }

func (c *rawConn) stats() Fields {
	c.mu.Lock()
	defer c.mu.Unlock()
	packets := map[string]int{}
	for channel, count := range c.packets {
		packets[fmt.Sprint(channel)] = count
	}
	return Fields{
		"conn": c.number, "pings": c.pings, "pongs": c.pongs, "unreadable": c.unreadable, "packets": packets,
		"messages": c.messages, "payload_bytes": c.bytes, "bytes_read": c.socket.read.Load(),
		"bytes_written": c.socket.written.Load(), "open_ms": time.Since(c.opened).Milliseconds(),
	}
}
