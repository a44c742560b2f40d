package control

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Options are the flags of a peer program.
type Options struct {
	Listen, Network, Home, Moniker string
	KeySeed                        string
	AdvertisedAddress, Version     string
	Advertise                      string
	Ping, Pong, Flush, Init        time.Duration
	Payload                        int
	SendRate, RecvRate             int64
	P2P, Block, App                uint64
	ExtraChannels, Priorities      string
	Capacity, Queue                int
	PEX, SeedMode, StrictBook      bool
	EnsurePeers                    time.Duration
	AllowDuplicateIP               bool
	MaxInbound, MaxOutbound        int
	Persistent                     string
	Redial                         bool
	RouterQueue                    string
	Codec                          string
	Silent, Quiet                  bool
	LogLevel                       string
	Raw, Crowd                     bool
	AsNodes                        bool

	temporary bool // the home is ours to remove
}

// Channel is one channel of the test reactor.
type Channel struct {
	ID       byte
	Priority int
}

// The channels that every peer opens. The third needs a two-byte varint in each packet.
const (
	EchoChannel = 0x77
	BulkChannel = 0x78
	HighChannel = 0x88
)

func parseOptions(arguments []string) (*Options, error) {
	o := &Options{}
	f := flag.NewFlagSet("peer", flag.ContinueOnError)
	millis := func(name string, usage string) *int { return f.Int(name, 0, usage+" (0: the line's own default)") }
	f.StringVar(&o.Listen, "listen", "127.0.0.1:0", "host:port to listen on; empty in raw mode: do not listen")
	f.StringVar(&o.Network, "network", "interop", "chain id")
	f.StringVar(&o.Home, "home", "", "folder of node_key.json and addrbook.json (default: a temporary one)")
	f.StringVar(&o.Moniker, "moniker", "go-peer", "moniker")
	f.StringVar(&o.KeySeed, "key-seed", "", "make the node key from SHA-256 of this text; ignores the file")
	f.StringVar(&o.AdvertisedAddress, "advertised-address", "", "listen_addr of NodeInfo (default: the real one)")
	f.StringVar(&o.Version, "software-version", "", "version of NodeInfo (default: the line's own)")
	f.StringVar(&o.Advertise, "advertise", "", "channels of NodeInfo as hex, or 'none' (default: those that are open)")
	ping := millis("ping-ms", "ping interval")
	pong := millis("pong-ms", "pong timeout")
	flush := millis("flush-ms", "flush throttle")
	initial := f.Int("init-ms", 0, "how long a reactor takes to prepare for a new peer; not in tm035")
	f.IntVar(&o.Payload, "payload", 0, "max packet payload size (0: the line's own default)")
	f.Int64Var(&o.SendRate, "send-rate", 0, "bytes per second (0: 5120000)")
	f.Int64Var(&o.RecvRate, "recv-rate", 0, "bytes per second (0: 5120000)")
	f.Uint64Var(&o.P2P, "p2p-version", 0, "p2p protocol number of NodeInfo (0: the line's own)")
	f.Uint64Var(&o.Block, "block-version", 0, "block protocol number of NodeInfo (0: the line's own)")
	f.Uint64Var(&o.App, "app-version", 0, "app protocol number of NodeInfo")
	f.StringVar(&o.ExtraChannels, "channels", "", "more channels to open, as hex: 79,9a")
	f.StringVar(&o.Priorities, "priorities", "", "channel priorities: 77=5,78=1,88=5")
	f.IntVar(&o.Capacity, "capacity", 0, "receive capacity of each channel in bytes (0: 22020096)")
	f.IntVar(&o.Queue, "queue", 0, "send queue of each channel in messages (0: 1)")
	f.BoolVar(&o.PEX, "pex", false, "run the PEX reactor on an address book")
	ensure := millis("ensure-peers-ms", "period of PEX; a third of it is the least gap between requests of one peer, except in tm035")
	f.BoolVar(&o.SeedMode, "seed-mode", false, "PEX in seed mode")
	f.BoolVar(&o.StrictBook, "strict-book", false, "refuse addresses that are not routable")
	f.BoolVar(&o.AllowDuplicateIP, "allow-duplicate-ip", true, "accept several connections from one address")
	f.IntVar(&o.MaxInbound, "max-inbound", 40, "inbound peers")
	f.IntVar(&o.MaxOutbound, "max-outbound", 10, "outbound peers")
	f.StringVar(&o.Persistent, "persistent", "", "addresses to keep dialing, comma separated")
	f.BoolVar(&o.Redial, "redial", false, "tm035: let the peer manager dial what it knows (implied by --pex and --persistent)")
	f.StringVar(&o.RouterQueue, "router-queue", "fifo", "tm035: fifo, priority, wdrr or simple-priority")
	f.StringVar(&o.Codec, "codec", "bytesvalue", "bytesvalue, or raw: messages are plain bytes")
	f.BoolVar(&o.Silent, "silent", false, "start with echo off")
	f.BoolVar(&o.Quiet, "quiet", false, "start without message events")
	f.StringVar(&o.LogLevel, "log-level", "error", "log events from this level up: debug, info, error")
	f.BoolVar(&o.Raw, "raw", false, "packet-level mode, see README")
	f.BoolVar(&o.Crowd, "crowd", false, "many nodes in one process, see README")
	f.BoolVar(&o.AsNodes, "as-nodes", false, "tm035: retries and pauses of the peer manager as full nodes have them")
	if err := f.Parse(arguments); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	o.Ping = time.Duration(*ping) * time.Millisecond
	o.Pong = time.Duration(*pong) * time.Millisecond
	o.Flush = time.Duration(*flush) * time.Millisecond
	o.Init = time.Duration(*initial) * time.Millisecond
	o.EnsurePeers = time.Duration(*ensure) * time.Millisecond
	if o.SendRate == 0 {
		o.SendRate = 5120000
	}
	if o.RecvRate == 0 {
		o.RecvRate = 5120000
	}
	if o.Codec != "bytesvalue" && o.Codec != "raw" {
		return nil, fmt.Errorf("unknown codec %q", o.Codec)
	}
	if _, err := o.Channels(); err != nil {
		return nil, err
	}
	if o.Home == "" {
		home, err := os.MkdirTemp("", "peer-")
		if err != nil {
			return nil, err
		}
		o.Home, o.temporary = home, true
	}
	return o, os.MkdirAll(o.Home, 0o700)
}

// Channels lists the channels of the test reactor.
func (o *Options) Channels() ([]Channel, error) {
	channels := []Channel{{EchoChannel, 5}, {BulkChannel, 1}, {HighChannel, 5}}
	for _, text := range SplitList(o.ExtraChannels) {
		id, err := strconv.ParseUint(text, 16, 8)
		if err != nil {
			return nil, fmt.Errorf("bad channel %q", text)
		}
		channels = append(channels, Channel{byte(id), 1})
	}
	for _, text := range SplitList(o.Priorities) {
		name, value, _ := strings.Cut(text, "=")
		id, err := strconv.ParseUint(name, 16, 8)
		priority, err2 := strconv.Atoi(value)
		if err != nil || err2 != nil || priority < 1 {
			return nil, fmt.Errorf("bad priority %q", text)
		}
		for i := range channels {
			if channels[i].ID == byte(id) {
				channels[i].Priority = priority
			}
		}
	}
	return channels, nil
}

// AdvertisedChannels returns the channels of NodeInfo, given those that are open.
func (o *Options) AdvertisedChannels(open []byte) ([]byte, error) {
	switch o.Advertise {
	case "":
		return open, nil
	case "none":
		return nil, nil
	default:
		return hex.DecodeString(strings.ReplaceAll(o.Advertise, ",", ""))
	}
}

// SeededKey is the key of --key-seed, or nil when the key file is to be used.
func (o *Options) SeededKey() ed25519.PrivateKey {
	if o.KeySeed == "" {
		return nil
	}
	seed := sha256.Sum256([]byte(o.KeySeed))
	return ed25519.NewKeyFromSeed(seed[:])
}

// KeyFile and BookFile are the files of the peer.
func (o *Options) KeyFile() string  { return filepath.Join(o.Home, "node_key.json") }
func (o *Options) BookFile() string { return filepath.Join(o.Home, "addrbook.json") }

// CheckTimers refuses what makes the connection code panic in the lines that time a pong from its ping.
func CheckTimers(ping, pong time.Duration) error {
	if pong >= ping {
		return errors.New("--pong-ms must be less than --ping-ms")
	}
	return nil
}

// SplitList cuts a comma separated list and drops empty items.
func SplitList(text string) []string {
	var items []string
	for _, item := range strings.Split(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
