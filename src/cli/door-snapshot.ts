import { join } from 'node:path'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { KeySnapshot } from '#access'
import type { Clock } from '#kernel/clock'
import type { MasterKey } from '#kernel/master-key'
import type { Random } from '#kernel/random'
import { createSnapshot } from '#spool'

const text = Type.String()
const Content = Type.Object({
  keys: Type.Array(Type.Object({ hash: text, id: text, tenant: text, mode: text, version: text })),
  secrets: Type.Record(text, text),
})
type Content = Static<typeof Content>

/** Secrets of gateways as they were when the database was last asked for them. */
export type SecretSnapshot = {
  keep(values: ReadonlyMap<string, string>): void
  read(): Promise<ReadonlyMap<string, string> | undefined>
}

/** Its date has to stay young while nothing changes: written so often, and with every change. */
const RENEWED_MS = 60_000

/** What the door has to know when it opens without the database: sealed in one file of the spool directory. */
export function createDoorSnapshot(options: {
  readonly directory: string
  readonly masterKey: MasterKey
  readonly random: Random
  readonly clock: Clock
  failed(error: unknown): void
}): { readonly keys: KeySnapshot; readonly secrets: SecretSnapshot } {
  const { clock, failed } = options
  const validator = Compile(Content)
  const isContent = (value: unknown): value is Content => validator.Check(value)
  const file = createSnapshot({ ...options, path: join(options.directory, 'door.snapshot'), isContent })
  let secrets: Content['secrets'] = {}
  let kept = { text: '', atMs: Number.NEGATIVE_INFINITY }

  return {
    keys: {
      async keep(rows) {
        const content = { keys: [...rows], secrets }
        const now = { text: JSON.stringify(content), atMs: clock.monotonicMs() }
        if (now.text === kept.text && now.atMs - kept.atMs < RENEWED_MS) return
        // Whoever asks now is known from the database: that the file cannot be written is for later.
        await file.keep(content).then(() => {
          kept = now
        }, failed)
      },
      read: async () => (await file.read())?.keys,
    },
    secrets: {
      keep(values) {
        secrets = Object.fromEntries(values)
      },
      async read() {
        const content = await file.read()
        if (content) secrets = content.secrets
        return content && new Map(Object.entries(content.secrets))
      },
    },
  }
}
