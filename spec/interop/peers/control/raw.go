package control

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// rawCommand are the members of commands that only raw mode knows.
type rawCommand struct {
	Conn      int           `json:"conn"`
	Handshake string        `json:"handshake"` // none, secret or full
	Engine    string        `json:"engine"`    // line or forge
	Forge     forgeSpec     `json:"forge"`
	NodeInfo  *nodeInfoSpec `json:"node_info"`
	Pong      string        `json:"pong"` // auto or never
	EOF       *bool         `json:"eof"`
	Payload   int           `json:"payload"`
	Frame     int           `json:"frame"`
	Piece     int           `json:"piece"`
	Body      string        `json:"body"`
	Length    *int          `json:"length"`
	Flip      *int          `json:"flip"`
	Replay    bool          `json:"replay"`
	How       string        `json:"how"`
}

type rawProgram struct {
	line    Line
	options *Options
	host    *Host
	key     ed25519.PrivateKey
	id      string
	listen  string

	mu       sync.Mutex
	conns    []*rawConn
	onAccept Command
}

func nodeID(key ed25519.PublicKey) string {
	hash := sha256.Sum256(key)
	return hex.EncodeToString(hash[:20])
}

func runRaw(line Line, options *Options, host *Host) error {
	key := options.SeededKey()
	if key == nil {
		// Raw connections need no identity that lasts, and the lines differ in how they store one.
		_, fresh, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		key = fresh
	}
	p := &rawProgram{line: line, options: options, host: host, key: key, id: nodeID(key.Public().(ed25519.PublicKey))}
	p.listen = "127.0.0.1:0"
	if options.Listen != "" {
		listener, err := net.Listen("tcp", options.Listen)
		if err != nil {
			return err
		}
		defer listener.Close()
		p.listen = listener.Addr().String()
		go p.accept(listener)
	}
	host.Emit("ready", Fields{"line": line.Name(), "raw": true, "id": p.id, "listen": p.listen, "network": options.Network})
	return readCommands(host, p.handle)
}

func (p *rawProgram) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		preset := p.onAccept
		p.mu.Unlock()
		c := p.adopt(conn, "inbound", &preset)
		c.lane <- func() {
			if fields, err := c.handshake(&preset); err != nil {
				fields["conn"], fields["error"] = c.number, err.Error()
				p.host.Emit("handshake_failed", fields)
			}
		}
	}
}

func (p *rawProgram) adopt(conn net.Conn, direction string, preset *Command) *rawConn {
	p.mu.Lock()
	c := &rawConn{
		program: p, number: len(p.conns) + 1, opened: time.Now(), lane: make(chan func(), 4096),
		pong: preset.Pong != "never", packets: map[int32]int{}, partial: map[int32][]byte{},
	}
	p.conns = append(p.conns, c)
	p.mu.Unlock()
	// The event comes before the socket reads, so that "closed" cannot overtake it.
	p.host.Emit("open", Fields{"conn": c.number, "direction": direction, "remote": conn.RemoteAddr().String(), "local": conn.LocalAddr().String()})
	c.socket = newSocket(conn, func(err error) {
		reason := err.Error()
		if errors.Is(err, net.ErrClosed) {
			reason = "closed here"
		}
		p.host.Emit("closed", Fields{
			"conn": c.number, "reason": reason, "after_ms": time.Since(c.opened).Milliseconds(),
			"bytes_read": c.socket.read.Load(), "bytes_written": c.socket.written.Load(),
		})
	})
	go c.socket.pump()
	go func() {
		for job := range c.lane {
			job()
		}
	}()
	return c
}

// find returns the connection that a command means: by number, else the latest.
func (p *rawProgram) find(number int) (*rawConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if number == 0 {
		number = len(p.conns)
	}
	if number < 1 || number > len(p.conns) {
		return nil, errors.New("no such connection")
	}
	return p.conns[number-1], nil
}

func (p *rawProgram) handle(c *Command) bool {
	answer := func(fields Fields, err error) { reply(p.host, c, fields, err) }
	switch c.Name {
	case "quit":
		answer(nil, nil)
		return false
	case "on_accept":
		p.mu.Lock()
		p.onAccept = *c
		p.mu.Unlock()
		answer(nil, nil)
		return true
	case "connect":
		go p.connect(c)
		return true
	}
	conn, err := p.find(c.Conn)
	if err != nil {
		answer(nil, err)
		return true
	}
	switch c.Name {
	// These must work while a write of the same connection waits for the remote to read.
	case "close":
		answer(Fields{"conn": conn.number}, conn.socket.close(c.How))
	case "pause_read":
		conn.socket.setPaused(c.on())
		answer(Fields{"conn": conn.number, "on": c.on()}, nil)
	case "pong_mode":
		conn.setPong(c.Pong != "never")
		answer(Fields{"conn": conn.number}, nil)
	case "quiet":
		conn.setQuiet(c.on())
		answer(Fields{"conn": conn.number}, nil)
	case "stats":
		answer(conn.stats(), nil)
	default:
		conn.lane <- func() {
			fields, err := conn.execute(c)
			if fields == nil {
				fields = Fields{}
			}
			fields["conn"] = conn.number
			answer(fields, err)
		}
	}
	return true
}

func (p *rawProgram) connect(c *Command) {
	tcp, err := net.DialTimeout("tcp", c.Address, 5*time.Second)
	if err != nil {
		reply(p.host, c, nil, err)
		return
	}
	conn := p.adopt(tcp, "outbound", c)
	conn.lane <- func() {
		fields, err := conn.handshake(c)
		fields["conn"] = conn.number
		reply(p.host, c, fields, err)
	}
}

// packetBytes encodes packets with their lengths, ready to be written in one piece.
func (p *rawProgram) packetBytes(packets ...Packet) ([]byte, error) {
	var out []byte
	for _, packet := range packets {
		body, err := p.line.EncodePacket(packet)
		if err != nil {
			return nil, err
		}
		out = append(out, prefixed(body)...)
	}
	return out, nil
}

// message returns the encoded message that a command describes, by hex or by size.
func (p *rawProgram) message(c *Command, index int) ([]byte, error) {
	if c.Hex != nil {
		return hex.DecodeString(*c.Hex)
	}
	return encodeMessage(p.options.Codec, c.Size, fillSpec{kind: c.Fill, seed: c.Seed + uint32(index)})
}

// payload returns bytes that need not be a message.
func payload(c *Command) ([]byte, error) {
	if c.Hex != nil {
		return hex.DecodeString(*c.Hex)
	}
	return encodeMessage("raw", c.Size, fillSpec{kind: c.Fill, seed: c.Seed})
}

// split cuts a message in packets: full ones, then the last with eof.
func split(channel int32, message []byte, size int) []Packet {
	var packets []Packet
	for len(message) > size {
		packets = append(packets, Packet{Kind: "msg", Channel: channel, Data: message[:size]})
		message = message[size:]
	}
	return append(packets, Packet{Kind: "msg", Channel: channel, EOF: true, Data: message})
}

var errNoStream = fmt.Errorf("no secret connection yet: use the command secret")
