/** Tests run from the TypeScript source as ES modules; end-to-end tests start the built program. */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: [
    '<rootDir>/test/containers/',
    '<rootDir>/test/interop/',
    '<rootDir>/test/e2e/matrix/',
    '<rootDir>/test/examples/production/',
    '<rootDir>/test/e2e/dialects/',
    '<rootDir>/test/e2e/firefox/',
    '<rootDir>/test/tusd/',
  ],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
  reporters: ['default', '<rootDir>/test/setup/summary-reporter.mjs'],
  // No test is about its own duration: a busy host may need this long for the largest ones.
  testTimeout: 120_000,
  testSequencer: '<rootDir>/test/setup/longest-first.mjs',
  maxWorkers: 2,
  // The modules of a test file stay in the memory of its worker. After a hundred files, collecting garbage would take
  // most of its time.
  workerIdleMemoryLimit: '300MB',
}
