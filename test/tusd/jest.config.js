import shared from '../../jest.config.js'

/** Tests that need tusd, which test/tusd/run.mjs builds. */
export default {
  ...shared,
  rootDir: '../..',
  roots: ['<rootDir>/test/tusd'],
  testPathIgnorePatterns: [],
  testTimeout: 60_000,
}
