package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tendermint/tendermint/internal/p2p"
	"github.com/tendermint/tendermint/types"

	"troupe.test/peers/control"
)

func (n *node) ID() string      { return string(n.key.ID) }
func (n *node) Address() string { return n.address }

func (n *node) dialsFreely() bool {
	return n.options.Redial || n.options.PEX || n.options.Persistent != ""
}

// Dial adds the address and waits for the peer manager to try it. A router has no method that dials.
func (n *node) Dial(text string) error {
	address, err := p2p.ParseNodeAddress(text)
	if err != nil {
		return err
	}
	id := string(address.NodeID)
	result := make(chan error, 1)
	n.mu.Lock()
	if n.live[id] != nil || n.waiters[id] != nil {
		n.mu.Unlock()
		return errors.New("already connected or dialing")
	}
	n.waiters[id] = result
	n.mu.Unlock()
	cancel := n.host.Watch("failed to ", func(message string, fields control.Fields) {
		if message != "failed to handshake with peer" && message != "failed to dial peer" {
			return
		}
		reason := fmt.Sprint(fields["err"])
		// Failures of TCP are known already, and tries before this command fail in just this way.
		if strings.Contains(fmt.Sprint(fields["peer"]), id) && !strings.Contains(reason, "all endpoints failed") {
			n.settle(id, errors.New(reason))
		}
	})
	defer cancel()
	defer n.settle(id, errors.New("done"))
	if _, err := n.manager.Add(address); err != nil {
		return err
	}
	select {
	case err := <-result:
		return err
	case <-time.After(dialPatience):
		return errors.New("the peer manager did not dial: it may hold the peer inactive")
	}
}

// Keep has nothing to do: who runs with --redial or --pex dials all peers whose addresses it has.
func (n *node) Keep(string) error {
	if !n.dialsFreely() {
		return errors.New("needs --redial")
	}
	return nil
}

// settle answers the dial of a node id that is still waiting, if any.
func (n *node) settle(id string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if result := n.waiters[id]; result != nil {
		result <- err
		delete(n.waiters, id)
	}
}

// dialing finds the node id that is being dialed at an endpoint.
func (n *node) dialing(endpoint p2p.Endpoint) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id := range n.waiters {
		for _, address := range n.manager.Addresses(types.NodeID(id)) {
			if address.Port == endpoint.Port {
				return id
			}
		}
	}
	return ""
}

func (n *node) connection(id string) (*connection, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.live[id]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("no peer %s", id)
}

func (n *node) Peers() []control.PeerInfo {
	n.mu.Lock()
	defer n.mu.Unlock()
	peers := []control.PeerInfo{}
	for _, c := range n.live {
		peers = append(peers, c.describe())
	}
	return peers
}

// Send hands the message to the router, which says nothing about its fate. What can be known beforehand is checked here.
func (n *node) Send(to string, channel byte, message []byte) (bool, error) {
	c, err := n.connection(to)
	if err != nil {
		return false, err
	}
	out := n.channels[channel]
	if out == nil || !bytes.Contains(c.info.Channels, []byte{channel}) {
		return false, nil
	}
	out.Out <- p2p.Envelope{To: types.NodeID(to), Message: control.NewMessage(message)}
	return true, nil
}

// TrySend passes by the router, because only the connection has it.
func (n *node) TrySend(to string, channel byte, message []byte) (bool, error) {
	c, err := n.connection(to)
	if err != nil {
		return false, err
	}
	return c.TrySendMessage(p2p.ChannelID(channel), message)
}

func (n *node) Broadcast(channel byte, message []byte) error {
	out := n.channels[channel]
	if out == nil {
		return fmt.Errorf("channel %#x is not open", channel)
	}
	out.Out <- p2p.Envelope{Broadcast: true, Message: control.NewMessage(message)}
	return nil
}

// Disconnect is how a reactor's error ends a peer: by eviction.
func (n *node) Disconnect(id string) error {
	_, err := n.connection(id)
	if err == nil {
		n.manager.Errored(types.NodeID(id), errors.New("asked to disconnect"))
	}
	return err
}

func (n *node) FlushStop(id string) error {
	c, err := n.connection(id)
	if err != nil {
		return err
	}
	return c.FlushClose()
}

func (n *node) AddAddress(text string) error {
	address, err := p2p.ParseNodeAddress(text)
	if err != nil {
		return err
	}
	_, err = n.manager.Add(address)
	return err
}

func (n *node) RequestAddresses(string) error {
	return errors.New("not in this line: its PEX reactor asks by its own clock, from 200 ms after a peer is up")
}

func (n *node) Addresses() []string {
	var addresses []string
	for _, id := range n.manager.Peers() {
		for _, address := range n.manager.Addresses(id) {
			addresses = append(addresses, address.String())
		}
	}
	return addresses
}

func (n *node) Stop() {
	if n.pex != nil {
		_ = n.pex.Stop()
	}
	_ = n.router.Stop()
	n.manager.Close()
}
