export { createSimulatedClient, type GatewayOutcome, type SimulatedClient } from './client.ts'
export type { ProducedEvent } from './objects.ts'
export { type SimulatedGateway, type SimulatedGatewayOptions, startSimulatedGateway } from './server.ts'
