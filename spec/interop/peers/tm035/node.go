package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/tendermint/tendermint/config"
	"github.com/tendermint/tendermint/crypto/ed25519"
	"github.com/tendermint/tendermint/internal/p2p"
	"github.com/tendermint/tendermint/internal/p2p/conn"
	"github.com/tendermint/tendermint/internal/p2p/pex"
	"github.com/tendermint/tendermint/libs/service"
	pb "github.com/tendermint/tendermint/proto/tendermint/p2p"
	"github.com/tendermint/tendermint/types"
	"github.com/tendermint/tendermint/version"
	dbm "github.com/tendermint/tm-db"

	"troupe.test/peers/control"
)

// How long a dial may take: the wait for the peer manager's next try, TCP, and the handshake window of 20 s.
const dialPatience = 30 * time.Second

type node struct {
	options   *control.Options
	host      *control.Host
	key       types.NodeKey
	address   string
	transport *transport
	manager   *p2p.PeerManager
	router    *p2p.Router
	pex       service.Service
	channels  map[byte]*p2p.Channel

	mu      sync.Mutex
	live    map[string]*connection
	waiters map[string]chan error // dials in progress, by node id
}

func (line) Start(options *control.Options, host *control.Host) (control.Node, error) {
	if options.SeedMode {
		return nil, errors.New("no seed mode here: use --pex --advertise 00")
	}
	n := &node{
		options: options, host: host, channels: map[byte]*p2p.Channel{},
		live: map[string]*connection{}, waiters: map[string]chan error{},
	}
	if err := n.loadKey(); err != nil {
		return nil, err
	}
	var err error
	if n.address, err = control.FreeAddress(options.Listen); err != nil {
		return nil, err
	}
	log := logger{host: host}
	settings := config.DefaultP2PConfig()
	n.transport = &transport{
		MConnTransport: p2p.NewMConnTransport(log, n.connectionConfig(settings), nil,
			p2p.MConnTransportOptions{MaxAcceptedConnections: uint32(options.MaxInbound)}),
		node: n,
	}
	if err := n.startManager(); err != nil {
		return nil, err
	}
	window := 100 * time.Millisecond
	if options.AllowDuplicateIP {
		// The limit per address cannot be switched off, only made the shortest that is valid.
		window = time.Millisecond
	}
	n.router, err = p2p.NewRouter(log, nil, n.nodeInfo(), n.key.PrivKey, n.manager, []p2p.Transport{n.transport}, p2p.RouterOptions{
		DialTimeout:              settings.DialTimeout,
		HandshakeTimeout:         settings.HandshakeTimeout,
		QueueType:                options.RouterQueue,
		IncomingConnectionWindow: window,
	})
	if err != nil {
		return nil, err
	}
	if err := n.openChannels(log); err != nil {
		return nil, err
	}
	host.Watch("Connection failed @", n.noteFailure)
	host.Inbox.Attach(n)
	return n, n.listen()
}

func (n *node) loadKey() (err error) {
	if seeded := n.options.SeededKey(); seeded != nil {
		key := ed25519.PrivKey(seeded)
		n.key = types.NodeKey{ID: types.NodeIDFromPubKey(key.PubKey()), PrivKey: key}
		return nil
	}
	n.key, err = types.LoadOrGenNodeKey(n.options.KeyFile())
	return err
}

func (n *node) connectionConfig(settings *config.P2PConfig) conn.MConnConfig {
	o := n.options
	c := conn.DefaultMConnConfig()
	c.FlushThrottle = control.Or(o.Flush, settings.FlushThrottleTimeout)
	c.MaxPacketMsgPayloadSize = control.Or(o.Payload, settings.MaxPacketMsgPayloadSize)
	c.SendRate, c.RecvRate = o.SendRate, o.RecvRate
	c.PingInterval = control.Or(o.Ping, c.PingInterval)
	c.PongTimeout = control.Or(o.Pong, c.PongTimeout)
	return c
}

func (n *node) startManager() error {
	o := n.options
	options := p2p.PeerManagerOptions{
		MaxConnected:           uint16(o.MaxInbound + o.MaxOutbound),
		MaxOutgoingConnections: uint16(o.MaxOutbound),
		// Short, because a dial command waits for the manager's next try.
		MinRetryTime: 50 * time.Millisecond,
		MaxRetryTime: 200 * time.Millisecond,
	}
	if o.AsNodes {
		options.MinRetryTime, options.MaxRetryTime, options.MaxRetryTimePersistent = 250*time.Millisecond, 30*time.Minute, 5*time.Minute
		options.RetryTimeJitter, options.DisconnectCooldownPeriod = 5*time.Second, 2*time.Second
	}
	if o.PEX {
		self, err := p2p.ParseNodeAddress(fmt.Sprintf("mconn://%s@%s", n.key.ID, n.address))
		if err != nil {
			return err
		}
		options.SelfAddress = self
	}
	var persistent []p2p.NodeAddress
	for _, text := range control.SplitList(o.Persistent) {
		address, err := p2p.ParseNodeAddress(text)
		if err != nil {
			return err
		}
		persistent = append(persistent, address)
		options.PersistentPeers = append(options.PersistentPeers, address.NodeID)
	}
	manager, err := p2p.NewPeerManager(n.key.ID, dbm.NewMemDB(), options)
	if err != nil {
		return err
	}
	n.manager = manager
	for _, address := range persistent {
		if _, err := manager.Add(address); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) nodeInfo() types.NodeInfo {
	o := n.options
	return types.NodeInfo{
		ProtocolVersion: types.ProtocolVersion{
			P2P: control.Or(o.P2P, version.P2PProtocol), Block: control.Or(o.Block, version.BlockProtocol), App: o.App,
		},
		NodeID:     n.key.ID,
		ListenAddr: control.Or(o.AdvertisedAddress, "tcp://"+n.address),
		Network:    o.Network,
		Version:    control.Or(o.Version, version.TMVersion),
		Moniker:    o.Moniker,
		Other:      types.NodeInfoOther{TxIndex: "off"},
	}
}

func (n *node) openChannels(log logger) error {
	channels, err := n.options.Channels()
	if err != nil {
		return err
	}
	for _, wanted := range channels {
		descriptor := conn.ChannelDescriptor{
			ID:                  wanted.ID,
			Priority:            wanted.Priority,
			SendQueueCapacity:   n.options.Queue,
			RecvMessageCapacity: n.options.Capacity,
			MaxSendBytes:        1000,
		}
		// One place in the router's queues, so that a reactor that stops reading is soon felt on the socket.
		channel, err := n.router.OpenChannel(descriptor, &control.Message{}, 1)
		if err != nil {
			return err
		}
		n.transport.AddChannelDescriptors([]*p2p.ChannelDescriptor{&descriptor})
		n.channels[wanted.ID] = channel
		go n.receive(wanted.ID, channel)
	}
	if !n.options.PEX {
		return nil
	}
	descriptor := pex.ChannelDescriptor()
	channel, err := n.router.OpenChannel(descriptor, &pb.PexMessage{}, 128)
	if err != nil {
		return err
	}
	n.transport.AddChannelDescriptors([]*p2p.ChannelDescriptor{&descriptor})
	n.pex = pex.NewReactorV2(log, n.manager, channel, n.manager.Subscribe())
	return n.pex.Start()
}

func (n *node) receive(id byte, channel *p2p.Channel) {
	for {
		select {
		case envelope := <-channel.In:
			n.host.Inbox.Receive(string(envelope.From), id, envelope.Message.(*control.Message).Bytes)
		case <-channel.Done():
			return
		}
	}
}

func (n *node) listen() error {
	host, port, err := net.SplitHostPort(n.address)
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return err
	}
	endpoint := p2p.Endpoint{Protocol: p2p.MConnProtocol, IP: net.ParseIP(host), Port: uint16(number)}
	if err := n.transport.Listen(endpoint); err != nil {
		return err
	}
	return n.router.Start()
}
