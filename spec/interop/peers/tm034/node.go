package main

import (
	"fmt"

	"github.com/tendermint/tendermint/config"
	"github.com/tendermint/tendermint/crypto/ed25519"
	"github.com/tendermint/tendermint/p2p"
	"github.com/tendermint/tendermint/p2p/pex"
	"github.com/tendermint/tendermint/version"

	"troupe.test/peers/control"
)

type node struct {
	options   *control.Options
	host      *control.Host
	transport *p2p.MultiplexTransport
	sw        *p2p.Switch
	book      pex.AddrBook
	pex       *pex.Reactor
	key       *p2p.NodeKey
	address   string
}

func (line) Start(options *control.Options, host *control.Host) (control.Node, error) {
	n := &node{options: options, host: host}
	if err := n.loadKey(); err != nil {
		return nil, err
	}
	settings := n.settings()
	connection := p2p.MConnConfig(settings)
	if options.Ping > 0 {
		connection.PingInterval = options.Ping
	}
	if options.Pong > 0 {
		connection.PongTimeout = options.Pong
	}
	if err := control.CheckTimers(connection.PingInterval, connection.PongTimeout); err != nil {
		return nil, err
	}
	channels, err := options.Channels()
	if err != nil {
		return nil, err
	}
	open := make([]byte, 0, len(channels)+1)
	for _, channel := range channels {
		open = append(open, channel.ID)
	}
	if options.PEX {
		open = append(open, pex.PexChannel)
	}
	// NodeInfo names the real port, so the port has to be known before the transport listens.
	if n.address, err = control.FreeAddress(options.Listen); err != nil {
		return nil, err
	}
	info, err := n.nodeInfo(open)
	if err != nil {
		return nil, err
	}
	log := logger{host: host}
	n.transport = p2p.NewMultiplexTransport(info, *n.key, connection)
	p2p.MultiplexTransportMaxIncomingConnections(options.MaxInbound)(n.transport)
	if !options.AllowDuplicateIP {
		p2p.MultiplexTransportConnFilters(p2p.ConnDuplicateIPFilter())(n.transport)
	}
	n.sw = p2p.NewSwitch(settings, n.transport)
	n.sw.SetLogger(log)
	n.sw.SetNodeInfo(info)
	n.sw.SetNodeKey(n.key)
	n.sw.AddReactor("TEST", newReactor(n, channels))
	n.startBook(log)
	if err := n.sw.AddPersistentPeers(control.SplitList(options.Persistent)); err != nil {
		return nil, err
	}
	listen, err := p2p.NewNetAddressString(p2p.IDAddressString(n.key.ID(), n.address))
	if err != nil {
		return nil, err
	}
	if err := n.transport.Listen(*listen); err != nil {
		return nil, err
	}
	if err := n.sw.Start(); err != nil {
		return nil, err
	}
	host.Inbox.Attach(n)
	return n, n.sw.DialPeersAsync(control.SplitList(options.Persistent))
}

func (n *node) loadKey() (err error) {
	if seeded := n.options.SeededKey(); seeded != nil {
		n.key = &p2p.NodeKey{PrivKey: ed25519.PrivKey(seeded)}
		return nil
	}
	n.key, err = p2p.LoadOrGenNodeKey(n.options.KeyFile())
	return err
}

func (n *node) settings() *config.P2PConfig {
	o := n.options
	settings := config.DefaultP2PConfig()
	settings.AllowDuplicateIP = o.AllowDuplicateIP
	settings.AddrBookStrict = o.StrictBook
	settings.MaxNumInboundPeers = o.MaxInbound
	settings.MaxNumOutboundPeers = o.MaxOutbound
	settings.SendRate, settings.RecvRate = o.SendRate, o.RecvRate
	settings.PexReactor, settings.SeedMode = o.PEX, o.SeedMode
	if o.Payload > 0 {
		settings.MaxPacketMsgPayloadSize = o.Payload
	}
	if o.Flush > 0 {
		settings.FlushThrottleTimeout = o.Flush
	}
	return settings
}

func (n *node) nodeInfo(open []byte) (p2p.DefaultNodeInfo, error) {
	o := n.options
	channels, err := o.AdvertisedChannels(open)
	return p2p.DefaultNodeInfo{
		ProtocolVersion: p2p.NewProtocolVersion(
			control.Or(o.P2P, version.P2PProtocol), control.Or(o.Block, version.BlockProtocol), o.App),
		DefaultNodeID: n.key.ID(),
		ListenAddr:    control.Or(o.AdvertisedAddress, "tcp://"+n.address),
		Network:       o.Network,
		Version:       control.Or(o.Version, version.TMCoreSemVer),
		Channels:      channels,
		Moniker:       o.Moniker,
		Other:         p2p.DefaultNodeInfoOther{TxIndex: "off"},
	}, err
}

// startBook sets an address book even without PEX, because the switch asks it about every outcome of a dial.
func (n *node) startBook(log logger) {
	n.book = pex.NewAddrBook(n.options.BookFile(), n.options.StrictBook)
	n.book.SetLogger(log)
	n.sw.SetAddrBook(n.book)
	if !n.options.PEX {
		return
	}
	n.pex = pex.NewReactor(n.book, &pex.ReactorConfig{SeedMode: n.options.SeedMode})
	n.pex.SetLogger(log)
	if n.options.EnsurePeers > 0 {
		n.pex.SetEnsurePeersPeriod(n.options.EnsurePeers)
	}
	n.sw.AddReactor("PEX", n.pex)
}

func (n *node) ID() string      { return string(n.key.ID()) }
func (n *node) Address() string { return n.address }

func (n *node) Dial(address string) error {
	remote, err := p2p.NewNetAddressString(address)
	if err != nil {
		return err
	}
	return n.sw.DialPeerWithAddress(remote)
}

func (n *node) Keep(address string) error {
	return n.sw.AddPersistentPeers([]string{address})
}

func (n *node) Disconnect(id string) error {
	peer, err := n.peer(id)
	if err == nil {
		n.sw.StopPeerGracefully(peer)
	}
	return err
}

func (n *node) FlushStop(id string) error {
	peer, err := n.peer(id)
	if err == nil {
		// This is what a seed does after its answer.
		peer.FlushStop()
		n.sw.StopPeerGracefully(peer)
	}
	return err
}

func (n *node) AddAddress(address string) error {
	remote, err := p2p.NewNetAddressString(address)
	if err != nil {
		return err
	}
	return n.book.AddAddress(remote, n.sw.NetAddress())
}

func (n *node) RequestAddresses(to string) error {
	peer, err := n.peer(to)
	if err != nil {
		return err
	}
	if n.pex == nil {
		return fmt.Errorf("needs --pex")
	}
	n.pex.RequestAddrs(peer)
	return nil
}

func (n *node) Addresses() []string {
	var addresses []string
	for _, address := range n.book.GetSelection() {
		addresses = append(addresses, address.String())
	}
	return addresses
}

func (n *node) Stop() {
	_ = n.sw.Stop()
}
