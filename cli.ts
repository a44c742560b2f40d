#!/usr/bin/env node
/** The `troupe` command: hands its arguments to the table of commands in `cli/program.ts`, and exits with what that says. */
import { main } from './cli/main.ts';

await main(process.argv.slice(2));
