import { temporaryFolder } from './folder.ts'
import { type Program, startProgram } from './program.ts'

/** The built program with its own data directory, which can be killed and restarted in place. */
export interface Landfall {
  readonly url: string
  readonly dataDir: string
  /** Kills it. */
  kill(): Promise<void>
  /** Starts it again on the same port and directory. */
  startAgain(): Promise<void>
  dispose(): Promise<void>
}

export async function startLandfall(settings: Readonly<Record<string, string>> = {}): Promise<Landfall> {
  const folder = await temporaryFolder()
  const all = { ...settings, DATA_DIR: folder.path }
  let program: Program = await startProgram(all)
  const { url } = program
  return {
    url,
    dataDir: folder.path,
    kill: async () => {
      await program.end('SIGKILL')
    },
    startAgain: async () => {
      program = await startProgram({ ...all, PORT: new URL(url).port })
    },
    dispose: async () => {
      await program.end('SIGKILL')
      await folder.dispose()
    },
  }
}
