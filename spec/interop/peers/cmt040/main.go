// The peer program of CometBFT 0.40: a Switch with a test reactor, and PEX if asked for.
package main

import (
	"os"

	"troupe.test/peers/control"
)

func main() { os.Exit(control.Main(line{})) }
