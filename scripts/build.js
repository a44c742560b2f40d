/** Makes `dist/`: compiled sources, the generated protobuf code beside them, and an executable command. `npm ci` and `npm pack` run it. */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');

function compiler() {
  try {
    return createRequire(import.meta.url).resolve('typescript/bin/tsc');
  } catch {
    return undefined;
  }
}

const tsc = compiler();
if (tsc === undefined) {
  // An install without development dependencies keeps what was built before it.
  const built = existsSync(join(dist, 'cli.js'));
  console.error(
    built
      ? 'TypeScript is not installed: dist/ is left as it is.'
      : 'TypeScript is not installed, so dist/ cannot be made: run npm ci with development dependencies.',
  );
  process.exit(built ? 0 : 1);
}

rmSync(dist, { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], { cwd: root, stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
cpSync(join(root, 'proto', 'generated'), join(dist, 'proto', 'generated'), { recursive: true });
chmodSync(join(dist, 'cli.js'), 0o755);
