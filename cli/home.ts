/** The home of a node on disk: what `init` makes and `id` reads. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadNodeKey, saveNodeKey } from '../actors/node-key.ts';
import { asTroupeError, TroupeError } from '../proto/errors.ts';
import { generateNodeKey, type NodeId } from '../proto/identity.ts';
import type { Call } from './call.ts';
import { configFile, configText, type Settings } from './config.ts';
import { exitCodes, type ExitCode } from './output.ts';

/** Name of the key file in a home. */
export const keyFile = 'node_key.json';

/** Makes a home with a new key and a configuration that holds `settings`. Nothing that exists is touched. @throws TroupeError `ERR_HOME_EXISTS`, `ERR_CONFIG_UNREADABLE`, `ERR_NODE_KEY_UNREADABLE`. */
export async function makeHome(home: string, settings: Settings): Promise<NodeId> {
  for (const file of [keyFile, configFile]) {
    if (existsSync(join(home, file))) throw new TroupeError('ERR_HOME_EXISTS', join(home, file));
  }
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    writeFileSync(join(home, configFile), configText(settings), { flag: 'wx' });
  } catch (error) {
    throw asTroupeError(error, 'ERR_CONFIG_UNREADABLE');
  }
  const key = generateNodeKey();
  await saveNodeKey(join(home, keyFile), key);
  return key.id;
}

/** The id of a home's key. @throws TroupeError `ERR_HOME_MISSING` without one, `ERR_NODE_KEY_INVALID`, `ERR_NODE_KEY_UNREADABLE`. */
export async function idOfHome(home: string): Promise<NodeId> {
  const path = join(home, keyFile);
  if (!existsSync(path)) throw new TroupeError('ERR_HOME_MISSING', `no ${path}; make it with: troupe init --home ${home}`);
  return (await loadNodeKey(path)).key.id;
}

/** `troupe init`. What the environment says is not written: it wins over the file anyway. */
export async function init({ home, flags, output }: Call): Promise<ExitCode> {
  const nodeId = await makeHome(home, flags);
  const [key, config] = [join(home, keyFile), join(home, configFile)];
  output.event({ event: 'initialised', nodeId, home, key, config }, `node id  ${nodeId}`, `key      ${key}`, `options  ${config}`);
  return exitCodes.success;
}

/** `troupe id`. */
export async function id({ home, output }: Call): Promise<ExitCode> {
  const nodeId = await idOfHome(home);
  output.event({ event: 'id', nodeId }, nodeId);
  return exitCodes.success;
}
