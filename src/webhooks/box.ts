import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Database } from '#kernel/database'
import { invariant } from '#kernel/invariant'
import { type DataKey, type Seal, storeKeys } from '#kernel/seal'

const Secret = Type.Object({
  value: Type.String(),
  /** Unix milliseconds until which it signs beside the newer one; null for the newest. */
  until: Type.Union([Type.Integer(), Type.Null()]),
})
const Box = Type.Object({ url: Type.String(), description: Type.String(), secrets: Type.Array(Secret) })
const box = Compile(Box)

/** What is kept sealed of an endpoint: its address too, because addresses hold tokens. Newest secret first. */
export type Box = Static<typeof Box>

type Of = { readonly tenant: string; readonly id: string }

const boxContext = ({ tenant, id }: Of): string => `${tenant}/webhooks.endpoint/${id}`

export type Boxes = ReturnType<typeof createBoxes>

/** Seals what is an endpoint's under a data key of its own. */
export function createBoxes(seal: Seal, database: Database) {
  const storing = new Map<string, Promise<void>>()

  /** Stored before it is used: what is sealed under it may be written in transactions that are not ours. */
  async function keyOf({ tenant, id }: Of): Promise<DataKey> {
    const key = seal.dataKey({ tenant, subject: `endpoint:${id}` })
    if (key.isStored) return key
    const storingIt = storing.get(key.id) ?? store(key)
    storing.set(key.id, storingIt)
    await storingIt.finally(() => storing.delete(key.id))
    return key
  }

  async function store(key: DataKey): Promise<void> {
    await database.transaction({}, (tx) => storeKeys(tx, [key]))
    key.isStored = true
  }

  return {
    async sealBox(of: Of, content: Box): Promise<string> {
      return seal.seal(await keyOf(of), JSON.stringify(content), boxContext(of))
    },
    async openBox(of: Of, sealed: string): Promise<Box> {
      const [plain] = await seal.open([sealed], boxContext(of))
      const content: unknown = JSON.parse(plain?.toString('utf8') ?? 'null')
      invariant(box.Check(content), 'the box of an endpoint holds its address and secrets')
      return content
    },
    /** Whatever an endpoint answered, which may be anything. */
    async sealAnswer(of: Of, answer: string): Promise<string> {
      return seal.seal(await keyOf(of), answer, `${boxContext(of)}/answer`)
    },
    async openAnswers(of: Of, sealed: readonly string[]): Promise<(string | undefined)[]> {
      return (await seal.open(sealed, `${boxContext(of)}/answer`)).map((plain) => plain?.toString('utf8'))
    },
  }
}

/** Secrets that sign now, newest first. */
export function currentSecrets({ secrets }: Box, now: number): string[] {
  return secrets.filter(({ until }) => until === null || until > now).map(({ value }) => value)
}
