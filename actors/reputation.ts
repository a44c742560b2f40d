/** The host's policy on reports, made safe to ask: what it says is brought within limits, and when it says nothing that makes sense the default policy judges. */
import type { Logger } from 'pino';
import { checkedJudgement, defaultReputation, type Reputation } from '../machines/policy/score.ts';

export type ReputationDeps = Readonly<{
  log: Logger;
  /** Told each time the host's policy failed. */
  onCaught?: (() => void) | undefined;
}>;

/** A policy that never throws, whatever the given one does. */
export function heeded(reputation: Reputation, { log, onCaught }: ReputationDeps): Reputation {
  return (facts) => {
    try {
      return checkedJudgement(reputation(Object.freeze({ ...facts })), facts.class);
    } catch (error) {
      onCaught?.();
      const { id, behaviour } = facts;
      log.warn(
        { peer: id, behaviour, error: error instanceof Error ? error.message : String(error) },
        'the reputation policy failed: the default one judged',
      );
      return defaultReputation(facts);
    }
  };
}
