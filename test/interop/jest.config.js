import shared from '../../jest.config.js'

/** Third-party clients, which test/interop/run.mjs installs. */
export default {
  ...shared,
  rootDir: '../..',
  roots: ['<rootDir>/test/interop'],
  testPathIgnorePatterns: [],
  testTimeout: 60_000,
}
