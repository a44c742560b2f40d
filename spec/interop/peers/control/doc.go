// Package control holds what the peer programs of all release lines share: flags, the control protocol, the raw mode. It imports
// neither Tendermint nor CometBFT, because every line brings its own version of them under the same module path.
package control
