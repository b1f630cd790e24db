import { invariant } from '#kernel/invariant'
import type { openSpool } from '#spool'
import { expect } from './auditor/expect.ts'
import { CANARY } from './outside/merchants.ts'
import type { SimulatedProcess } from './process.ts'

type OpenFiles = Pick<Parameters<typeof openSpool>[0], 'files' | 'close'>
type Files = OpenFiles['files']
type Row = Parameters<Files['append']>[1][number]

type File = { readonly answer: string; rows: Row[]; last: number; asides: number; holder: SimulatedProcess | undefined }

/** The spool directory of the one machine that all processes run on: what was written stays, whoever dies. */
export class Disk {
  readonly #files = new Map<string, File>()

  /** Rows that wait for the log. */
  get waiting(): number {
    return [...this.#files.values()].reduce((sum, { rows }) => sum + rows.length, 0)
  }

  /** Rows that nobody could read, or the log refused. */
  get asides(): number {
    return [...this.#files.values()].reduce((sum, file) => sum + file.asides, 0)
  }

  /** As a process sees it: each access is a step of its own, which a crash comes before or after. */
  openFiles(process: SimulatedProcess): OpenFiles {
    const { scheduler } = process.machine
    // One after the other, as the thread that has the files takes them.
    const asked: { readonly label: string; readonly run: () => void }[] = []
    const takeNext = (): void => {
      const [next] = asked
      if (!next) return
      const run = () => {
        next.run()
        asked.shift()
        takeNext()
      }
      scheduler.add({ owner: process.owner, label: `disk ${next.label}`, dueMs: scheduler.nowMs, run })
    }
    const step = <Result>(label: string, work: () => Result): Promise<Result> =>
      new Promise((resolve) => {
        asked.push({ label, run: () => resolve(work()) })
        if (asked.length === 1) takeNext()
      })
    const held = (name: string): File => {
      const file = this.#files.get(name)
      invariant(file?.holder === process, `the spool file ${name} is not ours`)
      return file
    }
    const files: Files = {
      create: (name, answer) =>
        step('create', () => {
          this.#files.set(name, { answer, rows: [], last: 0, asides: 0, holder: process })
          return { name, answer, last: 0 }
        }),
      adopt: () =>
        step('adopt', () =>
          [...this.#files]
            .filter(([, { holder }]) => holder === undefined || holder.isDead)
            .map(([name, file]) => {
              file.holder = process
              return { name, answer: file.answer, last: file.last }
            }),
        ),
      append: (name, rows) =>
        step('append', () => {
          expect(!rows.some(({ box }) => Buffer.from(box).includes(CANARY)), 'personal data in clear on the disk')
          const file = held(name)
          file.rows.push(...rows)
          file.last = rows.at(-1)?.sequence ?? file.last
        }),
      read: (name, after, limit) =>
        step('read', () => {
          const rows = held(name).rows.filter(({ sequence }) => sequence > after)
          return rows.slice(0, limit.rows)
        }),
      remove: (name, upTo) =>
        step('remove', () => {
          const file = held(name)
          file.rows = file.rows.filter(({ sequence }) => sequence > upTo)
        }),
      setAside: (name, sequences) =>
        step('set aside', () => {
          const file = held(name)
          file.rows = file.rows.filter(({ sequence }) => !sequences.includes(sequence))
          file.asides += sequences.length
        }),
      note: (name) => step('note', () => void held(name).asides++),
      asides: (name) => step('asides', () => held(name).asides),
      release: (name) =>
        step('release', () => {
          const file = held(name)
          file.holder = undefined
          if (file.rows.length + file.asides === 0) this.#files.delete(name)
        }),
      abandon: async () => {
        for (const file of this.#files.values()) if (file.holder === process) file.holder = undefined
      },
    }
    return { files, close: () => files.abandon() }
  }
}
