package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/tendermint/tendermint/crypto"
	"github.com/tendermint/tendermint/internal/p2p"
	"github.com/tendermint/tendermint/types"

	"troupe.test/peers/control"
)

var errNotAsked = errors.New("no command asked for this dial")

// transport is the real one, except that it watches its connections: the router tells nobody why a peer went down, and has neither
// try-send nor flush-stop.
type transport struct {
	*p2p.MConnTransport
	node *node
}

// Dial also keeps the peer manager from dialing at will, so that a runner knows who connects, unless --redial or --pex says so.
func (t *transport) Dial(ctx context.Context, endpoint p2p.Endpoint) (p2p.Connection, error) {
	id := t.node.dialing(endpoint)
	if id == "" && !t.node.dialsFreely() {
		return nil, errNotAsked
	}
	inner, err := t.MConnTransport.Dial(ctx, endpoint)
	if err != nil {
		t.node.settle(id, err)
		return nil, err
	}
	return &connection{Connection: inner, node: t.node, outbound: true}, nil
}

func (t *transport) Accept() (p2p.Connection, error) {
	inner, err := t.MConnTransport.Accept()
	if err != nil {
		return nil, err
	}
	return &connection{Connection: inner, node: t.node}, nil
}

// connection reports itself as up when the router starts to receive from it, which it only does for accepted peers.
type connection struct {
	p2p.Connection
	node     *node
	outbound bool
	info     types.NodeInfo

	mu     sync.Mutex
	routed bool
	closed bool
	reason error
}

func (c *connection) Handshake(
	ctx context.Context, timeout time.Duration, own types.NodeInfo, key crypto.PrivKey,
) (types.NodeInfo, crypto.PubKey, error) {
	// The router always lists the channels that are open, so another list can only be told here.
	channels, err := c.node.options.AdvertisedChannels(own.Channels)
	if err != nil {
		return types.NodeInfo{}, nil, err
	}
	own.Channels = channels
	info, remote, err := c.Connection.Handshake(ctx, timeout, own, key)
	c.info = info
	return info, remote, err
}

func (c *connection) ReceiveMessage() (p2p.ChannelID, []byte, error) {
	c.mu.Lock()
	first := !c.routed
	c.routed = true
	c.mu.Unlock()
	if first {
		c.node.up(c)
	}
	id, message, err := c.Connection.ReceiveMessage()
	c.note(err)
	return id, message, err
}

func (c *connection) SendMessage(id p2p.ChannelID, message []byte) (bool, error) {
	ok, err := c.Connection.SendMessage(id, message)
	c.note(err)
	return ok, err
}

// note keeps the first error other than the end of a connection that we closed ourselves.
func (c *connection) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && c.reason == nil && !(c.closed && errors.Is(err, io.EOF)) {
		c.reason = err
	}
}

// noteFailure learns from the log why a connection ended. The transport closes before it passes the error on, so that the router
// mostly sees a plain end of stream.
func (n *node) noteFailure(_ string, fields control.Fields) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, c := range n.live {
		if peer := fmt.Sprint(fields["peer"]); strings.Contains(peer, id) {
			c.mu.Lock()
			if c.reason == nil {
				c.reason = errors.New(fmt.Sprint(fields["err"]))
			}
			c.mu.Unlock()
		}
	}
}

func (c *connection) Close() error {
	c.mu.Lock()
	first, routed := !c.closed, c.routed
	c.closed = true
	c.mu.Unlock()
	err := c.Connection.Close()
	c.mu.Lock()
	reason := c.reason
	c.mu.Unlock()
	if first && routed {
		c.node.down(c, reason)
	}
	return err
}

func (c *connection) describe() control.PeerInfo {
	return control.PeerInfo{
		ID:         string(c.info.NodeID),
		Direction:  control.Direction(c.outbound),
		Address:    c.RemoteEndpoint().String(),
		Moniker:    c.info.Moniker,
		Version:    c.info.Version,
		Network:    c.info.Network,
		ListenAddr: c.info.ListenAddr,
		Channels:   fmt.Sprintf("%x", []byte(c.info.Channels)),
		P2P:        c.info.ProtocolVersion.P2P,
		Block:      c.info.ProtocolVersion.Block,
		App:        c.info.ProtocolVersion.App,
		Connection: c.Status(),
	}
}

func (n *node) up(c *connection) {
	id := string(c.info.NodeID)
	n.mu.Lock()
	n.live[id] = c
	n.mu.Unlock()
	n.host.PeerUp(c.describe())
	if c.outbound {
		n.settle(id, nil)
	} else {
		n.settle(id, errors.New("the peer dialed us first"))
	}
}

func (n *node) down(c *connection, reason error) {
	id := string(c.info.NodeID)
	n.mu.Lock()
	if n.live[id] == c {
		delete(n.live, id)
	}
	n.mu.Unlock()
	if reason == nil {
		n.host.PeerDown(id, nil)
	} else {
		n.host.PeerDown(id, reason)
	}
}
