package control

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Digests are listed in a reply up to this many messages.
const shownDigests = 64

type peerProgram struct {
	options *Options
	host    *Host
	node    Node

	mu    sync.Mutex
	lanes map[string]chan func()
}

func runPeer(line Line, options *Options, host *Host) error {
	program, ready, err := startPeer(line, options, host)
	if err != nil {
		return err
	}
	defer program.node.Stop()
	host.Emit("ready", ready)
	return readCommands(host, program.handle)
}

// startPeer starts a node; it also returns what is to be said of it.
func startPeer(line Line, options *Options, host *Host) (*peerProgram, Fields, error) {
	host.Inbox.quiet = options.Quiet
	if options.Silent {
		host.Inbox.setEcho(false, nil)
	}
	node, err := line.Start(options, host)
	if err != nil {
		return nil, nil, err
	}
	channels, err := options.Channels()
	if err != nil {
		return nil, nil, err
	}
	ids := make([]int, len(channels))
	for i, channel := range channels {
		ids[i] = int(channel.ID)
	}
	ready := Fields{"line": line.Name(), "id": node.ID(), "listen": node.Address(), "network": options.Network, "channels": ids}
	return &peerProgram{options: options, host: host, node: node, lanes: map[string]chan func(){}}, ready, nil
}

func (p *peerProgram) handle(c *Command) bool {
	answer := func(fields Fields, err error) { reply(p.host, c, fields, err) }
	switch c.Name {
	case "dial":
		// A dial takes as long as the handshake, so other commands must not wait for it.
		go func() { answer(Fields{"address": c.Address}, p.node.Dial(c.Address)) }()
	case "keep":
		answer(Fields{"address": c.Address}, p.node.Keep(c.Address))
	case "send", "try_send":
		p.send(c)
	case "broadcast":
		message, err := p.message(c, 0)
		if err == nil {
			err = p.node.Broadcast(byte(c.Channel), message)
		}
		answer(digest(message), err)
	case "disconnect":
		p.host.asked(c.ID)
		answer(Fields{"id": c.ID}, p.node.Disconnect(c.ID))
	case "flushstop":
		p.host.asked(c.ID)
		// It ends when everything queued is written, which a slow remote can make long.
		go func() { answer(Fields{"id": c.ID}, p.node.FlushStop(c.ID)) }()
	case "pause_read":
		p.host.Inbox.setPaused(c.on())
		answer(Fields{"on": c.on()}, nil)
	case "slow":
		p.host.Inbox.set(func(in *Inbox) { in.delay = time.Duration(c.MS) * time.Millisecond })
		answer(Fields{"ms": c.MS}, nil)
	case "echo":
		p.host.Inbox.setEcho(c.on(), c.Channels)
		answer(Fields{"on": c.on()}, nil)
	case "quiet":
		p.host.Inbox.set(func(in *Inbox) { in.quiet = c.on() })
		answer(Fields{"on": c.on()}, nil)
	case "add_address":
		answer(Fields{"address": c.Address}, p.node.AddAddress(c.Address))
	case "request_addresses":
		answer(Fields{"to": c.To}, p.node.RequestAddresses(c.To))
	case "addresses":
		answer(Fields{"addresses": p.node.Addresses()}, nil)
	case "status":
		fields := Fields{"id": p.node.ID(), "listen": p.node.Address(), "peers": p.node.Peers()}
		p.host.Inbox.set(func(in *Inbox) { fields["messages"], fields["bytes"] = in.count, in.bytes })
		answer(fields, nil)
	case "quit":
		answer(nil, nil)
		p.host.Inbox.setPaused(false)
		return false
	default:
		answer(nil, fmt.Errorf("unknown command %q", c.Name))
	}
	return true
}

func (p *peerProgram) message(c *Command, index int) ([]byte, error) {
	if c.Channel < 0 || c.Channel > 255 {
		return nil, errors.New("channel is not a byte; use raw mode")
	}
	if c.Hex != nil {
		return hex.DecodeString(*c.Hex)
	}
	return encodeMessage(p.options.Codec, c.Size, fillSpec{kind: c.Fill, seed: c.Seed + uint32(index)})
}

// send queues a command behind earlier ones to the same peer and channel, so that their order holds; other channels go on.
func (p *peerProgram) send(c *Command) {
	if c.Name == "try_send" {
		// It must answer at once even if a send is waiting on the same channel.
		p.transmit(c, p.node.TrySend)
		return
	}
	key := fmt.Sprint(c.To, "/", c.Channel)
	p.mu.Lock()
	lane := p.lanes[key]
	if lane == nil {
		lane = make(chan func(), 4096)
		p.lanes[key] = lane
		go func() {
			for job := range lane {
				job()
			}
		}()
	}
	p.mu.Unlock()
	lane <- func() { p.transmit(c, p.node.Send) }
}

func (p *peerProgram) transmit(c *Command, send func(string, byte, []byte) (bool, error)) {
	started := time.Now()
	sent, failed := 0, 0
	var digests []string
	var firstError error
	size := 0
	for i := range max(c.Count, 1) {
		message, err := p.message(c, i)
		if err != nil {
			reply(p.host, c, nil, err)
			return
		}
		size = len(message)
		accepted, err := send(c.To, byte(c.Channel), message)
		if accepted {
			sent++
			if len(digests) < shownDigests {
				digests = append(digests, sum(message))
			}
		} else {
			failed++
			if firstError == nil {
				firstError = err
			}
		}
		if c.Interval > 0 {
			time.Sleep(time.Duration(c.Interval) * time.Millisecond)
		}
	}
	if failed > 0 && firstError == nil {
		firstError = errors.New("not accepted")
	}
	reply(p.host, c, Fields{
		"to": c.To, "channel": c.Channel, "size": size, "sent": sent, "failed": failed, "sha256": digests,
		"elapsed_ms": time.Since(started).Milliseconds(),
	}, firstError)
}

func digest(message []byte) Fields {
	return Fields{"size": len(message), "sha256": []string{sum(message)}}
}

func sum(message []byte) string {
	hash := sha256.Sum256(message)
	return hex.EncodeToString(hash[:])
}
