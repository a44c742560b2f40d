/** Pure transitions of a machine: what XState's own `transition` gives, without the actor that it makes anew each time, which costs several times the transition itself. */
import {
  createEmptyActor,
  type ActorScope,
  type AnyStateMachine,
  type EventFromLogic,
  type ExecutableActionsFrom,
  type InputFrom,
  type SnapshotFrom,
} from 'xstate';

/** A machine that is asked what would happen. It runs nothing, and its effects are given back as they are. */
export type Pure<M extends AnyStateMachine> = Readonly<{
  initial(input: InputFrom<M>): SnapshotFrom<M>;
  step(snapshot: SnapshotFrom<M>, event: EventFromLogic<M>): readonly [SnapshotFrom<M>, readonly ExecutableActionsFrom<M>[]];
}>;

const nothing = (): void => undefined;

/** For machines that neither invoke nor spawn. */
export function pure<M extends AnyStateMachine>(machine: M): Pure<M> {
  let actions: ExecutableActionsFrom<M>[] = [];
  const self = createEmptyActor();
  const scope = {
    self,
    system: self.system,
    id: '',
    sessionId: '',
    logger: nothing,
    defer: nothing,
    emit: nothing,
    stopChild: nothing,
    actionExecutor: (action: ExecutableActionsFrom<M>) => void actions.push(action),
  } as unknown as ActorScope<never, never>;
  return {
    initial(input) {
      actions = [];
      return machine.getInitialSnapshot(scope as never, input) as SnapshotFrom<M>;
    },
    step(snapshot, event) {
      actions = [];
      const next = machine.transition(snapshot as never, event, scope as never) as SnapshotFrom<M>;
      return [next, actions];
    },
  };
}
