import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Database } from '#kernel/database'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Whose } from './book-sql.ts'
import { proveEntry } from './proof.ts'

export type ProofRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): Whose
  }
  readonly database: Database
}

const params = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 300, description: 'Yours, its source, or its own: ent_…' }),
})
const Hash = Type.String({ pattern: '^[0-9a-f]{64}$' })
const Proof = Type.Object({
  entry: Type.String({ description: 'Canonical JSON of the entry: its leaf is the hash of this text.' }),
  leaf: Hash,
  index: Type.Integer({ description: 'Which leaf of the block it is, from 0 on.' }),
  path: Type.Array(Hash, { description: 'Hashes beside its way to the root, the nearest first.' }),
  block: Type.String({ description: 'Canonical JSON of the block: its hash is the hash of this text.' }),
  hash: Hash,
  chain: Type.Array(Type.String(), {
    description: 'The same of each block behind it, up to the one whose hash is head.',
  }),
})
const querystring = Type.Object(
  {
    head: Type.Optional(
      Type.String({
        pattern: '^[0-9a-f]{64}$',
        description: 'Hash of a later block of its partition, as you noted it.',
      }),
    ),
  },
  { additionalProperties: false },
)

const NO_CHAIN = "head must be the hash of a block of the entry's partition, its own or up to 10,000 behind it"

/** What shows somebody else that an entry is in a sealed block. */
export function proofRoutes(server: HttpServer, { callers, database }: ProofRoutePorts): void {
  const proof = {
    summary: 'Prove that an entry is in a sealed block',
    description: 'An auditor checks it with a page of code, and without any other entry.',
    params,
    querystring,
    refusals: ['entry_not_found', 'entry_not_sealed', 'events_archived', 'parameter_invalid'] as const,
    response: { 200: Proof },
  }
  server.get('/v1/ledger/entries/:id/proof', { onRequest: callers.check, schema: proof }, async (request) => {
    const outcome = await proveEntry(database, callers.of(request), request.params.id, request.query)
    if (outcome.status === 'proven') {
      const { path, chain, ...proof } = outcome.proof
      return { ...proof, path: [...path], chain: [...chain] }
    }
    if (outcome.status === 'no_chain') {
      throw new Refusal('parameter_invalid', { field: 'head', detail: NO_CHAIN })
    }
    if (outcome.status === 'not_found') throw new Refusal('entry_not_found', { field: 'id' })
    if (outcome.status === 'provisional') throw new Refusal('entry_not_sealed', { field: 'id' })
    throw new Refusal('events_archived', { detail: 'an operator has them: `millrace proof`' })
  })
}
