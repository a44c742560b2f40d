package main

import (
	"fmt"
	"time"

	"github.com/cometbft/cometbft/p2p"

	"troupe.test/peers/control"
)

// reactor reports what it receives and leaves all behaviour to the host's inbox.
type reactor struct {
	p2p.BaseReactor
	node     *node
	channels []control.Channel
}

func newReactor(n *node, channels []control.Channel) *reactor {
	r := &reactor{node: n, channels: channels}
	r.BaseReactor = *p2p.NewBaseReactor("TEST", r)
	return r
}

func (r *reactor) GetChannels() []*p2p.ChannelDescriptor {
	var descriptors []*p2p.ChannelDescriptor
	for _, channel := range r.channels {
		descriptors = append(descriptors, &p2p.ChannelDescriptor{
			ID:                  channel.ID,
			Priority:            channel.Priority,
			SendQueueCapacity:   r.node.options.Queue,
			RecvMessageCapacity: r.node.options.Capacity,
			MessageType:         &control.Message{},
		})
	}
	return descriptors
}

// InitPeer is called between the look for a duplicate and the entry among the peers. The longer it takes, the more often two connections
// of one peer pass the look together.
func (r *reactor) InitPeer(peer p2p.Peer) p2p.Peer {
	time.Sleep(r.node.options.Init)
	return peer
}

func (r *reactor) AddPeer(peer p2p.Peer) { r.node.host.PeerUp(describe(peer)) }

func (r *reactor) RemovePeer(peer p2p.Peer, reason any) {
	r.node.host.PeerDown(string(peer.ID()), reason)
}

func (r *reactor) Receive(e p2p.Envelope) {
	r.node.host.Inbox.Receive(string(e.Src.ID()), e.ChannelID, e.Message.(*control.Message).Bytes)
}

func describe(peer p2p.Peer) control.PeerInfo {
	info := control.PeerInfo{
		ID:         string(peer.ID()),
		Direction:  control.Direction(peer.IsOutbound()),
		Address:    peer.SocketAddr().String(),
		Connection: peer.Status(),
	}
	if remote, ok := peer.NodeInfo().(p2p.DefaultNodeInfo); ok {
		info.Moniker, info.Version, info.Network, info.ListenAddr = remote.Moniker, remote.Version, remote.Network, remote.ListenAddr
		info.Channels = fmt.Sprintf("%x", []byte(remote.Channels))
		info.P2P, info.Block, info.App = remote.ProtocolVersion.P2P, remote.ProtocolVersion.Block, remote.ProtocolVersion.App
	}
	return info
}

func (n *node) peer(id string) (p2p.Peer, error) {
	peer := n.sw.Peers().Get(p2p.ID(id))
	if peer == nil {
		return nil, fmt.Errorf("no peer %s", id)
	}
	return peer, nil
}

func (n *node) Peers() []control.PeerInfo {
	peers := []control.PeerInfo{}
	n.sw.Peers().ForEach(func(peer p2p.Peer) {
		peers = append(peers, describe(peer))
	})
	return peers
}

func (n *node) Send(to string, channel byte, message []byte) (bool, error) {
	peer, err := n.peer(to)
	if err != nil {
		return false, err
	}
	return peer.Send(envelope(channel, message)), nil
}

func (n *node) TrySend(to string, channel byte, message []byte) (bool, error) {
	peer, err := n.peer(to)
	if err != nil {
		return false, err
	}
	return peer.TrySend(envelope(channel, message)), nil
}

func (n *node) Broadcast(channel byte, message []byte) error {
	n.sw.Broadcast(envelope(channel, message))
	return nil
}

func envelope(channel byte, message []byte) p2p.Envelope {
	return p2p.Envelope{ChannelID: channel, Message: control.NewMessage(message)}
}
