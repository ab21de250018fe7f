export * from './controlled-clock.ts';
export * from './own-redis.ts';
export * from './stores.ts';
export * from './test-database.ts';
export * from './test-redis.ts';
export * from './test-server.ts';
export * from './test-warehouse.ts';
