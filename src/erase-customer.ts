import { bodySubjects } from '#gateways'
import { customerToken } from '#intake'
import type { Database } from '#kernel/database'
import type { Seal } from '#kernel/seal'
import { paymentsOfCustomer } from '#payments'

/** Destroys the keys of all that is sealed of a customer. Returns how many there were. */
export async function eraseCustomer(database: Database, seal: Seal, tenant: string, customer: string): Promise<number> {
  const token = customerToken(seal.digest, tenant, customer)
  const payments = await paymentsOfCustomer(database, tenant, token)
  const subjects = [
    `person:${token}`,
    ...payments.map((payment) => `payment:${payment}`),
    ...(await bodySubjects(database, tenant, payments)),
  ]
  let destroyed = 0
  for (const subject of subjects) destroyed += await seal.erase(tenant, subject)
  return destroyed
}
