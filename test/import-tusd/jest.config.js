import shared from '../../jest.config.js'

/** Tests that need tusd, which test/import-tusd/run.mjs builds. */
export default {
  ...shared,
  rootDir: '../..',
  roots: ['<rootDir>/test/import-tusd'],
  testPathIgnorePatterns: [],
  testTimeout: 60_000,
}
