import { expect, test } from '@jest/globals';
import { blankRow, rowShapes, shortText } from '../../machines/peer-row.ts';
import { idOf } from '../support/manager.ts';

test('text from a remote is kept to one printable line of 80 characters', () => {
  expect(shortText('fine')).toBe('fine');
  expect(shortText(' a\r\nb\u0000\u001b[31mc\u0085 ')).toBe('a b [31mc');
  expect(shortText('x'.repeat(1_000_000))).toHaveLength(80);
});

test('blank rows share nothing that could be changed', () => {
  expect(Object.isFrozen(blankRow(idOf('a')).addresses)).toBe(true);
});

test('rows are made in the one shape in which a zero takes no memory of its own', () => {
  expect(Object.keys(rowShapes.row)).toEqual(Object.keys(blankRow(idOf('a'))));
  for (const value of [...Object.values(rowShapes.row), ...Object.values(rowShapes.address)]) expect(value).not.toEqual(expect.any(Number));
});
