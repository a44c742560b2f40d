/** The rules of the source tree as a function: which folder may import what, how long a file may be, where real time and chance may be read. */
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';

/** Folder → what it may import: our own folders, `node:` modules (all, none, or a list), and whether `xstate`. */
type Rule = Readonly<{ ours: readonly string[]; node: boolean | readonly string[]; xstate: boolean }>;
const everything = ['proto', 'machines', 'transports', 'actors', 'cli', 'testing', 'spec', 'testing.ts', 'index.ts', 'cli.ts'];
const rules: Readonly<Record<string, Rule>> = {
  proto: { ours: ['proto'], node: ['node:crypto'], xstate: false },
  machines: { ours: ['proto', 'machines'], node: false, xstate: true },
  transports: { ours: ['proto', 'transports'], node: true, xstate: false },
  actors: { ours: ['proto', 'machines', 'transports', 'actors'], node: true, xstate: true },
  cli: { ours: ['proto', 'transports', 'actors', 'cli'], node: true, xstate: false },
  'cli.ts': { ours: ['cli'], node: true, xstate: false },
  'index.ts': { ours: ['proto', 'machines', 'transports', 'actors'], node: false, xstate: false },
  testing: { ours: ['proto', 'transports', 'actors', 'testing'], node: ['node:crypto', 'node:util'], xstate: false },
  'testing.ts': { ours: ['proto', 'machines', 'transports', 'actors', 'testing'], node: false, xstate: true },
  docs: { ours: [], node: true, xstate: true },
  spec: { ours: everything, node: true, xstate: true },
};

const maxLines = 400;
const unnamed = ['utils', 'util', 'common', 'helpers', 'helper', 'types', 'misc'];
/** Readers of real time and chance; specs and examples may, and the one file that hands them to a node. */
const realTimeAllowed = /^(spec|docs)\/|^actors\/environment\.ts$/;
const realCalls = ['Date.now', 'Math.random', 'performance.now', 'process.hrtime', 'process.hrtime.bigint', 'setTimeout', 'setInterval'];

/** Every way in which one file breaks the layout, as sentences. */
export function layoutProblems(path: string, text: string): readonly string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  const folder = path.split('/')[0] ?? '';
  const rule = rules[folder];
  if (!rule) return [`${path}: no rule says what belongs in ${folder}`];
  return [
    ...nameProblems(path),
    ...(text.split('\n').length - 1 > maxLines ? [`is above ${maxLines} lines`] : []),
    ...(/^(#![^\n]*\n)?\/\*\*/.test(text) || folder === 'spec' ? [] : ['does not open with a sentence on what it is']),
    ...importsOf(file).flatMap((specifier) => importProblems(path, folder, rule, specifier)),
    ...(realTimeAllowed.test(path) ? [] : realReads(file).map((call) => `calls ${call}: time and chance are inputs`)),
    ...file.statements.filter(isDefaultExport).map(() => 'has a default export'),
  ].map((problem) => `${path} ${problem}`);
}

function nameProblems(path: string): string[] {
  const parts = path.replace(/(\.spec)?\.ts$/, '').split('/');
  return [
    ...parts.filter((part) => unnamed.includes(part)).map((part) => `is named ${part}, which says nothing`),
    ...parts.filter((part) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(part)).map((part) => `has ${part} in its name, not kebab-case`),
  ];
}

function importProblems(path: string, folder: string, rule: Rule, specifier: string): string[] {
  if (specifier.startsWith('.')) {
    const target = normalize(join(dirname(path), specifier));
    const allowed =
      rule.ours.includes(target.split('/')[0] ?? '') || target === 'package.json' || (folder === 'docs' && target.startsWith('docs/'));
    const generated = target.startsWith('proto/generated/') && target.endsWith('.js');
    return [
      ...(allowed ? [] : [`imports ${target}`]),
      ...(target.endsWith('.ts') || target.endsWith('.json') || generated ? [] : [`imports ${specifier} without .ts`]),
    ];
  }
  if (specifier.startsWith('node:')) {
    const allowed = rule.node === true || (rule.node !== false && rule.node.includes(specifier));
    return [
      ...(allowed ? [] : [`imports ${specifier}`]),
      ...(specifier.startsWith('node:timers') ? [`imports ${specifier}: time is an input`] : []),
    ];
  }
  if (specifier === 'xstate' || specifier.startsWith('xstate/')) return rule.xstate ? [] : [`imports ${specifier}`];
  return [];
}

/** The module names of static imports, exports, and `import()` with a literal. */
function importsOf(file: ts.SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const specifier =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
            ? node.argument.literal
            : undefined;
    if (specifier && ts.isStringLiteralLike(specifier)) found.push(specifier.text);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function realReads(file: ts.SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) || ts.isPropertyAccessExpression(node)) {
      const name = (ts.isCallExpression(node) ? node.expression : node).getText(file).replace(/^globalThis\./, '');
      const bare = ts.isCallExpression(node) || name.includes('.');
      if (bare && realCalls.includes(name) && !(ts.isCallExpression(node.parent) && node.parent.expression === node)) found.push(name);
    }
    if (ts.isNewExpression(node) && node.expression.getText(file) === 'Date' && !node.arguments?.length) found.push('new Date()');
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function isDefaultExport(statement: ts.Statement): boolean {
  if (ts.isExportAssignment(statement)) return true;
  return ts.canHaveModifiers(statement) && (ts.getModifiers(statement) ?? []).some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword);
}
