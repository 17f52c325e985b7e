-- For a team whose own tables stand behind the views feed_users, feed_posts and feed_follows: triggers that write each
-- change of them into the outbox, so that it reaches the running services at once. Without them it is found by comparison,
-- every RECONCILE_SECONDS, which goes on in any case.
--
-- Run it after the migrations as who owns both the tables and the schema of the feed; running it again replaces what it
-- made. Say first, in the same session, which tables there are; one that is not named gets no triggers:
--     SET feed.schema = 'public';                        -- DB_SCHEMA
--     SET feed.users = 'app.members';
--     SET feed.posts = 'app.articles';
--     SET feed.follows = 'app.subscriptions';
-- and what the views make of a row `r`, where that is not a column of the view's own name:
--     SET feed.user_id = 'r.member_id';                  -- a uuid
--     SET feed.post_id = 'r.article_id';                 -- a uuid
--     SET feed.follower_id = 'r.reader';                 -- a uuid
--     SET feed.followee_id = 'r.writer';                 -- a uuid
--     SET feed.post_watched = 'r.body, r.writer, r.hidden, r.created';  -- else each change of a row is one, counters too
-- Functions in these expressions are named with their schema. To take the triggers away again:
--     DROP FUNCTION public.feed_adopted_user, public.feed_adopted_post, public.feed_adopted_follow CASCADE;
DO $adopt$
DECLARE
    schema text := coalesce(nullif(current_setting('feed.schema', true), ''), 'public');
    entity text;
    tab regclass;
    key text;
    other text;
    watched text;
    numbered text;
    event text;
BEGIN
    FOREACH entity IN ARRAY ARRAY['user', 'post', 'follow'] LOOP
        tab := nullif(current_setting(format('feed.%ss', entity), true), '')::regclass;
        CONTINUE WHEN tab IS NULL;
        key := CASE entity WHEN 'follow' THEN 'follower_id' ELSE entity || '_id' END;
        key := coalesce(nullif(current_setting('feed.' || key, true), ''),
                        CASE entity WHEN 'follow' THEN 'r.follower_id' ELSE 'r.id' END);
        other := CASE entity WHEN 'follow'
            THEN coalesce(nullif(current_setting('feed.followee_id', true), ''), 'r.followee_id') ELSE 'NULL::uuid' END;
        watched := nullif(current_setting('feed.post_watched', true), '');
        watched := CASE WHEN entity = 'post' AND watched IS NOT NULL THEN format('ROW(%s)::text', watched) ELSE 'r::text' END;
        -- a post without a number is not shown yet
        numbered := CASE entity WHEN 'post' THEN format(
            'INSERT INTO %1$I.feed_post_number (post_id) SELECT id FROM %1$I.feed_posts '
            'WHERE seq IS NULL AND id IN (SELECT %2$s FROM new_rows r) ON CONFLICT DO NOTHING;', schema, key) ELSE '' END;
        EXECUTE format($make$
            CREATE OR REPLACE FUNCTION %1$I.feed_adopted_%2$s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp AS $body$
            BEGIN
                IF TG_OP = 'INSERT' THEN
                    INSERT INTO %1$I.feed_change (entity, op, key, other) SELECT '%2$s', 'upsert', key, other
                    FROM (SELECT %3$s AS key, %4$s AS other FROM new_rows r) AS rows WHERE %7$s;
                    %6$s
                ELSIF TG_OP = 'UPDATE' THEN
                    INSERT INTO %1$I.feed_change (entity, op, key, other) SELECT '%2$s', 'delete', key, other
                    FROM (SELECT %3$s AS key, %4$s AS other FROM old_rows r EXCEPT SELECT %3$s, %4$s FROM new_rows r) AS rows
                    WHERE %7$s;
                    INSERT INTO %1$I.feed_change (entity, op, key, other) SELECT DISTINCT '%2$s', 'upsert', key, other
                    FROM (SELECT %3$s AS key, %4$s AS other, %5$s FROM new_rows r
                          EXCEPT SELECT %3$s, %4$s, %5$s FROM old_rows r) AS rows
                    WHERE %7$s;
                    %6$s
                ELSIF TG_OP = 'DELETE' THEN
                    INSERT INTO %1$I.feed_change (entity, op, key, other) SELECT '%2$s', 'delete', key, other
                    FROM (SELECT %3$s AS key, %4$s AS other FROM old_rows r) AS rows WHERE %7$s;
                ELSE
                    INSERT INTO %1$I.feed_change (entity, op, key, other) SELECT '%2$s', 'delete', key, other
                    FROM (SELECT %3$s AS key, %4$s AS other FROM %8$s r) AS rows WHERE %7$s;
                END IF;
                RETURN NULL;
            END $body$
            $make$, schema, entity, key, other, watched, numbered,
            CASE entity WHEN 'follow' THEN 'key IS NOT NULL AND other IS NOT NULL' ELSE 'key IS NOT NULL' END, tab);
        FOREACH event IN ARRAY ARRAY['insert', 'update', 'delete', 'truncate'] LOOP
            EXECUTE format('DROP TRIGGER IF EXISTS feed_adopted_%s ON %s', event, tab);
            EXECUTE format('CREATE TRIGGER feed_adopted_%1$s %2$s %1$s ON %3$s %4$s FOR EACH STATEMENT '
                           'EXECUTE FUNCTION %5$I.feed_adopted_%6$s()',
                event, CASE event WHEN 'truncate' THEN 'BEFORE' ELSE 'AFTER' END, tab,
                CASE event WHEN 'insert' THEN 'REFERENCING NEW TABLE AS new_rows'
                           WHEN 'update' THEN 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'
                           WHEN 'delete' THEN 'REFERENCING OLD TABLE AS old_rows' ELSE '' END,
                schema, entity);
        END LOOP;
    END LOOP;
END
$adopt$;
