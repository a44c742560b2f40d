/** Who knows whom when a simulation begins, by node number. */
import { TroupeError } from '../proto/errors.ts';

/** Each with all, each with the next and the last with the first, each with the one before, or all with the first. */
export const shapes = ['mesh', 'ring', 'line', 'star'] as const;
export type Shape = (typeof shapes)[number];

/** The numbers of the nodes that one is told of, given its own number, which counts for nothing among them, and how many there are. */
export type Acquaintances = (index: number, count: number) => readonly number[];

/** What a shape means. In each pair one dials: in a mesh the later node, so that no two dial each other. */
const neighbours: Readonly<Record<Shape, Acquaintances>> = {
  mesh: (index) => Array.from({ length: index }, (_, other) => other),
  ring: (index, count) => (count > 1 ? [(index + 1) % count] : []),
  line: (index) => (index > 0 ? [index - 1] : []),
  star: (index) => (index > 0 ? [0] : []),
};

/** A shape as a function. @throws TroupeError `ERR_OPTION_INVALID`. */
export function acquaintancesOf(shape: Shape | Acquaintances | undefined): Acquaintances {
  if (shape === undefined) return () => [];
  if (typeof shape === 'function') return shape;
  if (!shapes.includes(shape)) throw new TroupeError('ERR_OPTION_INVALID', `topology: ${shape}`);
  return neighbours[shape];
}
