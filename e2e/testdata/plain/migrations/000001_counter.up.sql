CREATE TABLE counter (hits INTEGER NOT NULL);
INSERT INTO counter (hits) VALUES (0);
