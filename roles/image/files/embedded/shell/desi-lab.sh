# The lab's environment for every shell: login shells reset PATH, and `docker exec` starts without what the entry point set.
case ":${PATH}:" in
  *:/opt/desi/bin:*) ;;
  *) export PATH="/opt/desi/bin:${PATH}" ;;
esac
if [ -z "${DESI_LAB_ENVIRONMENT:-}" ] && [ -r /var/lib/desi-lab/environment.sh ]; then
  . /var/lib/desi-lab/environment.sh
fi
case $- in
  *i*)
    if [ -z "${DESI_LAB_GREETED:-}" ] && [ -r /var/lib/desi-lab/greeting ]; then
      export DESI_LAB_GREETED=1
      cat /var/lib/desi-lab/greeting
    fi
    ;;
esac
