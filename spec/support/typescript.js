/** `node --import` this file to run TypeScript sources; see `typescript-hooks.js`. */
import { register } from 'node:module';

register('./typescript-hooks.js', import.meta.url);
