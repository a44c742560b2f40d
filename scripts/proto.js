/**
 * Makes `proto/generated` from `proto/tendermint`: static code without reflection, descriptors or JSON.
 * `node scripts/proto.js` writes it, `node scripts/proto.js --check` exits with 1 when what is committed differs.
 * protobufjs gives 64-bit integers as Long objects; the generated code is edited to take and give bigint, and refuses what does not fit.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pbjs from 'protobufjs-cli/pbjs.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const target = join(root, 'proto', 'generated');
const run = promisify(pbjs.main);

const int64 = `// 64-bit integers are bigint on our side of the generated code.
const $read64 = (value) => value.toBigInt();
const $write64 = (value, unsigned) => {
    const integer = BigInt(value);
    if ((unsigned ? BigInt.asUintN(64, integer) : BigInt.asIntN(64, integer)) !== integer)
        throw $RangeError("not an integer of 64 bits");
    return $util.Long.fromBigInt(integer, unsigned);
};
`;

function schemas() {
  const folder = join(root, 'proto', 'tendermint');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.proto'))
    .map((file) => join(folder, file))
    .sort();
}

async function generate(out, extra) {
  const omit = ['create', 'verify', 'convert', 'delimited', 'service', 'typeurl'].map((part) => `--no-${part}`);
  // A root of our own: the default one is shared with the generated code of every other package in the process.
  const names = ['--wrap', 'esm', '--root', 'troupe', '--dependency', 'protobufjs/minimal.js'];
  await run(['--target', 'static-module', ...names, ...omit, ...extra, '--path', join(root, 'proto'), '--out', out, ...schemas()]);
}

/** Replaces every match and fails when there was none: the generator's output has changed. */
function edit(text, pattern, replacement) {
  if (!pattern.test(text)) throw new Error(`nothing in the generated code matches ${pattern}`);
  return text.replace(pattern, replacement);
}

function withBigInt(code) {
  let text = edit(code, /\nexport \{[^}]*\bdefault\b[^}]*\};\n/, '');
  text = edit(text, /\$util\.Long \? \$util\.Long\.fromBits\(0,0,(?:true|false)\) : 0/g, '0n');
  text = edit(
    text,
    /typeof \(value = reader\.(u?int64)\(\)\) === "object" \? value\.low \|\| value\.high : value !== 0/g,
    '(value = $read64(reader.$1())) !== 0n',
  );
  text = edit(text, /typeof (message\.\w+) === "object" \? \1\.low \|\| \1\.high : \1 !== 0/g, 'BigInt($1) !== 0n');
  text = edit(text, /\.uint64\((message\.\w+)\)/g, '.uint64($write64($1, true))');
  text = edit(text, /\.int64\((message\.\w+)\)/g, '.int64($write64($1, false))');
  text = edit(text, /^const \$root = /m, `${int64}\nconst $root = `);
  if (/fromBits|\.low\b|int64\(message/.test(text)) throw new Error('a 64-bit field was not turned into bigint');
  return text;
}

function withBigIntTypes(types) {
  return edit(edit(types, /^import Long = require\("long"\);\n/m, ''), /\b(?:number\|Long|Long\|number|Long)\b/g, 'bigint');
}

async function fresh() {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-proto-'));
  try {
    const code = join(folder, 'code.js');
    const typed = join(folder, 'typed.js');
    await generate(code, ['--no-comments']);
    await generate(typed, ['--dts']);
    return {
      'tendermint.js': withBigInt(readFileSync(code, 'utf8')),
      'tendermint.d.ts': withBigIntTypes(readFileSync(join(folder, 'typed.d.ts'), 'utf8')),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function committed(name) {
  try {
    return readFileSync(join(target, name), 'utf8');
  } catch {
    return undefined;
  }
}

const files = Object.entries(await fresh());
if (process.argv.includes('--check')) {
  const stale = files.filter(([name, text]) => committed(name) !== text).map(([name]) => name);
  for (const name of stale) console.error(`proto/generated/${name} is not what the schemas give; run npm run proto`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  mkdirSync(target, { recursive: true });
  for (const [name, text] of files) writeFileSync(join(target, name), text);
}
