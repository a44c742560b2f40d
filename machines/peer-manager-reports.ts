/** What the manager makes of reports: on how peers behave, and on what came of the addresses that they told. */
import type { NodeId } from '../proto/identity.ts';
import { isHearsay, rowOf } from './peer-book.ts';
import { classOf, type Decision, type ManagerContext, type ManagerSetup, type ManagerStimulus } from './peer-manager-context.ts';
import type { PeerEvent } from './peer-context.ts';
import { deliver } from './peer-manager-peers.ts';
import type { PeerRow } from './peer-row.ts';
import { recalled, remembered } from './policy/recent.ts';
import { factsOf } from './policy/score.ts';

/** What came of the addresses that one source told us. */
export type Outcomes = Readonly<{ tried: number; failed: number }>;

type PeerReport = Extract<PeerEvent, { type: 'peer.reported' }>;
/** A report as the manager hears of it. */
export type Report = Extract<ManagerStimulus, { type: 'behaviour.reported' }>;

/** A report as the peer with this row hears of it; the host's policy judges it, if there is one. */
export function reportOf(
  setup: ManagerSetup,
  row: PeerRow,
  { behaviour, reason, source = 'remote', now }: Omit<Report, 'roll'>,
): PeerReport {
  const judgement = setup.reputation?.(factsOf(row, classOf(setup, row.id), { behaviour, reason, source, now }));
  return { type: 'peer.reported', behaviour, reason, now, ...(judgement && { judgement }) };
}

/** A report on a peer that is known. */
export function reportBehaviour(decision: Decision, report: Report): void {
  const row = rowOf(decision.context.book, report.id);
  if (row) deliver(decision, report.id, reportOf(decision.context.setup, row, report));
}

/** Sources whose outcomes are kept, at most. */
const mostSources = 1_024;
/** As many addresses are tried before anything is said of their source. */
const leastTried = 20;

const isBad = ({ tried, failed }: Outcomes): boolean => tried >= leastTried && failed * 2 > tried;

/** Whether most of what a peer told us, of twenty addresses or more, came to nothing. */
export function isMisleading({ outcomes }: ManagerContext, source: NodeId): boolean {
  const known = recalled(outcomes, source);
  return known !== undefined && isBad(known);
}

/** Books the first dial of hearsay for the one who told it; from a source that is mostly wrong each further failure is a report. */
export function noteOutcome(decision: Decision, row: PeerRow, dial: Readonly<{ address: string; hasWorked: boolean }>): void {
  const known = row.addresses.find((each) => each.address === dial.address);
  if (!known || !isHearsay(known) || known.failures > 0) return;
  const { outcomes, now, roll } = decision.context;
  const source = known.source.slice('gossip:'.length) as NodeId;
  const before = recalled(outcomes, source) ?? { tried: 0, failed: 0 };
  const after = { tried: before.tried + 1, failed: before.failed + (dial.hasWorked ? 0 : 1) };
  decision.change({ outcomes: remembered(outcomes, source, after, { now, limit: mostSources }) });
  if (dial.hasWorked || !isBad(before)) return;
  const reason = `${after.failed} of ${after.tried} addresses it told failed`;
  reportBehaviour(decision, { type: 'behaviour.reported', id: source, behaviour: 'misleading', reason, now, roll });
}
