import { expect, test } from '@jest/globals';
import { descriptorLimit } from '../../../transports/mconn/descriptors.ts';

const limits = (files: string): string => `Limit                     Soft Limit           Hard Limit           Units
Max processes             96365                96365                processes
Max open files            ${files}                20000                files
`;

test('the soft limit is read', () => {
  expect(descriptorLimit(() => limits('1024'))).toBe(1_024);
});

test('where there is none, or the system does not tell, there is no limit to read', () => {
  expect(descriptorLimit(() => limits('unlimited'))).toBeUndefined();
  expect(descriptorLimit(() => '')).toBeUndefined();
  expect(
    descriptorLimit(() => {
      throw new Error('ENOENT');
    }),
  ).toBeUndefined();
});
