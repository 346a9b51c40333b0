package follow

// childVariable makes the test's program a follower, to be killed.
const childVariable = "FLYSQL_TEST_FOLLOW"

func child(job string) {}
