/** The version of this package, as peers and operators see it; a spec compares it with `package.json`. */
export const version = '0.1.0';
