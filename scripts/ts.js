/** Lets Node run the sources as they are: `node --import ./scripts/ts.js spec/bench/run.ts`. Types are stripped by swc, nothing else changes. */
import { register } from 'node:module';

register('./ts-hooks.js', import.meta.url);
