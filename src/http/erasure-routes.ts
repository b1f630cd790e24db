import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { HttpServer } from '#kernel/http'

export type ErasurePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): { readonly tenant: string }
  }
  eraseCustomer(tenant: string, customer: string): Promise<number>
}

const params = Type.Object({
  customer: Type.String({
    minLength: 1,
    maxLength: 255,
    description: 'Your reference of the person, up to 255 characters',
  }),
})
const Erased = Type.Object({
  erased: Type.Literal(true),
  data_keys_destroyed: Type.Integer({ description: 'None when the person was forgotten before, or never known.' }),
})

/** A customer is erased in both modes: the person is the same. Safe to repeat. */
export function erasureRoutes(server: HttpServer, { callers, eraseCustomer }: ErasurePorts): void {
  const schema = {
    summary: 'Forget a person',
    description:
      'Destroys the keys under which everything of the customer is sealed, in both modes. Within five seconds no process ' +
      'can read it any more; payments and books stay as they are.',
    params,
    response: { 200: Erased },
  }
  const options = { schema, onRequest: callers.check }
  server.delete('/v1/customers/:customer/personal-data', options, async (request) => {
    const { tenant } = callers.of(request)
    return { erased: true as const, data_keys_destroyed: await eraseCustomer(tenant, request.params.customer) }
  })
}
