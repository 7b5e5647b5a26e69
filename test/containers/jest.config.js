import shared from '../../jest.config.js'

/** The container tests: one after the other, because they share an engine; building an image takes minutes. */
export default {
  ...shared,
  rootDir: '../..',
  roots: ['<rootDir>/test/containers'],
  testPathIgnorePatterns: [],
  testTimeout: 1_200_000,
  maxWorkers: 1,
}
