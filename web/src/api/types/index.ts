/**
 * The shapes the server speaks (snake_case JSON; instants are integer milliseconds since the epoch, UTC;
 * digests are lowercase hex SHA-256). One interface per shape, by domain.
 */
export type * from "./office";
export type * from "./matter";
export type * from "./case";
export type * from "./desk";
export type * from "./session";
export type * from "./verify";
