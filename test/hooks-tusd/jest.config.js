import shared from '../../jest.config.js'

/** Tests that need tusd, which test/hooks-tusd/run.mjs builds. */
export default {
  ...shared,
  rootDir: '../..',
  roots: ['<rootDir>/test/hooks-tusd'],
  testPathIgnorePatterns: [],
  testTimeout: 60_000,
}
