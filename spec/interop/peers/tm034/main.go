// The peer program of Tendermint 0.34: a Switch with a test reactor, and PEX if asked for.
package main

import (
	"os"

	"troupe.test/peers/control"
)

func main() { os.Exit(control.Main(line{})) }
