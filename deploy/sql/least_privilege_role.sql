-- What the running service may do, and nothing else: it reads the views and the outbox, purges old rows of the latter,
-- appends to the log of interactions and removes what users take back, appends to the log of their controls, adds and
-- removes follows and memberships in tables of the service, writes users and posts there, stores what was shown, keeps
-- its copies of recommendations, and resets and erases one user at a time. It stores
-- read-outs and stops of experiments, and cannot remove a stop. It cannot change an interaction or a control, and has no
-- right to tables of another application behind the views.
--
-- Run it as the owner of the schema, after the migrations, and again after later ones; running it twice changes
-- nothing. Names other than the defaults are set first, in the same session:
--     SET feed.role = 'feed_service';  SET feed.schema = 'public';
-- The role gets no password here: ALTER ROLE feed_service PASSWORD '...' (or a certificate, or the platform's own way).
DO $grant$
DECLARE
    role text := coalesce(nullif(current_setting('feed.role', true), ''), 'feed_service');
    schema text := coalesce(nullif(current_setting('feed.schema', true), ''), 'public');
    one text;
    rights text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
        EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION', role);
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', schema, role);
    FOREACH one IN ARRAY ARRAY['feed_users', 'feed_posts', 'feed_follows', 'feed_memberships', 'feed_user_settings',
                             'feed_post_settings', 'feed_controls', 'feed_change', 'feed_change_swept', 'feed_alembic_version'] LOOP
        EXECUTE format('GRANT SELECT ON %I.%I TO %I', schema, one, role);
    END LOOP;
    EXECUTE format('GRANT EXECUTE ON FUNCTION %I.feed_change_sweep(interval, integer) TO %I', schema, role);
    FOREACH one IN ARRAY ARRAY['feed_complete_users()', 'feed_complete_posts()', 'feed_post_embeddings()',
                               'feed_readable_posts(uuid)', 'feed_visible_posts(uuid)'] LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %I.%s TO %I', schema, one, role);
    END LOOP;
    EXECUTE format('GRANT EXECUTE ON FUNCTION %I.feed_impression_partition(date) TO %I', schema, role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %I.feed_impression_purge(integer) TO %I', schema, role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %I.feed_experiment_purge(integer) TO %I', schema, role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %I.feed_reset_user(uuid) TO %I', schema, role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %I.feed_erase_user(uuid) TO %I', schema, role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %I.feed_merge_user(uuid, uuid) TO %I', schema, role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I.erased_user TO %I', schema, role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I.impression TO %I', schema, role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I.impression_count TO %I', schema, role);
    EXECUTE format('GRANT SELECT ON %I.interaction_impression TO %I', schema, role);
    EXECUTE format('GRANT SELECT ON %I.experiment_user_day TO %I', schema, role);
    EXECUTE format('GRANT SELECT, INSERT ON %I.experiment_stop TO %I', schema, role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I.experiment_report TO %I', schema, role);
    EXECUTE format('GRANT SELECT, INSERT ON %I.user_feedback TO %I', schema, role);
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON %I.user_interest TO %I', schema, role);
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON %I.user_interaction TO %I', schema, role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I.user_recommendation TO %I', schema, role);
    -- tables that the service writes where they are its own
    FOR one, rights IN SELECT * FROM (VALUES
        ('follows', 'SELECT, INSERT, DELETE'),
        ('memberships', 'SELECT, INSERT, DELETE'),
        ('users', 'SELECT, INSERT, UPDATE'),
        ('posts', 'SELECT, INSERT, UPDATE, DELETE')
    ) AS own_tables LOOP
        IF obj_description(to_regclass(format('%I.%I', schema, one)), 'pg_class')
                = 'made by the feed recommendation service' THEN
            EXECUTE format('GRANT %s ON %I.%I TO %I', rights, schema, one, role);
        END IF;
    END LOOP;
    -- ids for rows of adopted tables whose keys are no uuids
    EXECUTE format('GRANT SELECT ON %I.feed_unkeyed TO %I', schema, role);
    EXECUTE format('GRANT SELECT, INSERT ON %I.feed_user_key TO %I', schema, role);
    EXECUTE format('GRANT SELECT, INSERT ON %I.feed_post_key TO %I', schema, role);
    -- numbers for the posts of adopted tables; our own table numbers its posts itself
    EXECUTE format('GRANT SELECT, INSERT ON %I.feed_post_number TO %I', schema, role);
END
$grant$;
