/** Seeded chance, as specs import it; it is published as part of `troupe/testing`. */
export { seededRandom } from '../../transports/simulated.ts';
