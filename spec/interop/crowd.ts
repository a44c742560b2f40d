/** Many Go nodes in one program, each with a fresh key: a node is there in milliseconds, a program takes far longer. */
import type { GoEvent, GoPeerInfo, GoProgram } from './go-program.ts';
import type { Flags, Trial } from './trial.ts';

/** One node of a crowd. */
export class Member {
  readonly id: string;
  /** host:port that it listens on. */
  readonly listen: string;
  readonly #program: GoProgram;
  readonly #node: number;

  constructor(program: GoProgram, opened: GoEvent) {
    this.#program = program;
    this.#node = opened.node!;
    this.id = opened.id!;
    this.listen = opened.listen!;
  }

  get address(): string {
    return `${this.id}@${this.listen}`;
  }

  ask(command: string, members: object = {}): Promise<GoEvent> {
    return this.#program.ask(command, { node: this.#node, ...members });
  }

  order(command: string, members: object = {}): Promise<GoEvent> {
    return this.#program.order(command, { node: this.#node, ...members });
  }

  async peers(): Promise<readonly GoPeerInfo[]> {
    return (await this.order('status')).peers!;
  }

  /** What it has said of its own accord so far. */
  said(): readonly GoEvent[] {
    return this.#program.said.filter(({ node, event }) => node === this.#node && event !== 'reply');
  }

  close(): Promise<GoEvent> {
    return this.order('close');
  }
}

export class Crowd {
  readonly #program: GoProgram;

  private constructor(program: GoProgram) {
    this.#program = program;
  }

  /** Starts the program of the trial's line; its nodes behave as full nodes do when they dial and lose peers. */
  static async start(trial: Trial, flags: Flags = {}): Promise<Crowd> {
    return new Crowd(await trial.peer({ crowd: true, pex: true, redial: true, 'as-nodes': true, ...flags }));
  }

  async open(): Promise<Member> {
    return new Member(this.#program, await this.#program.order('open'));
  }
}
