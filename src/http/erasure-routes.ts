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

const params = Type.Object({ customer: Type.String({ minLength: 1, maxLength: 255 }) })

/** A customer is erased in both modes: the person is the same. Safe to repeat. */
export function erasureRoutes(server: HttpServer, { callers, eraseCustomer }: ErasurePorts): void {
  const options = { schema: { params }, onRequest: callers.check }
  server.delete('/v1/customers/:customer/personal-data', options, async (request) => {
    const { tenant } = callers.of(request)
    return { erased: true, data_keys_destroyed: await eraseCustomer(tenant, request.params.customer) }
  })
}
